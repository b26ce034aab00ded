"""Which presses of a decision's key count: those on an item that a person has had time to see, and not a key held down.

The API decides every claim at most once, and only with the nonce that was shown. What it cannot know is whether the next item
has just come under a finger that is still pressing. So a press counts only when the item has stood on the page for a
moment, and when no other press came just before it.
"""

import time
from collections.abc import MutableMapping
from typing import Any

MINIMUM_SECONDS = 0.6
"""Seconds that an item must have been on the page, and that presses must be apart."""
_DISPLAYED, _LAST_PRESS = "pace.shown", "pace.pressed"


def record_display(state: MutableMapping[Any, Any], claim: str, now: float | None = None) -> None:
    """Note that a claim stands on the page; the first time counts."""
    if state.get(_DISPLAYED, ("", 0.0))[0] != claim:
        state[_DISPLAYED] = (claim, time.monotonic() if now is None else now)


def accept_press(state: MutableMapping[Any, Any], claim: str, now: float | None = None) -> bool:
    """Tell whether a press on this claim counts, and note the press either way."""
    now = time.monotonic() if now is None else now
    last, state[_LAST_PRESS] = state.get(_LAST_PRESS, -MINIMUM_SECONDS), now
    seen, since = state.get(_DISPLAYED, ("", 0.0))
    return bool(seen == claim and now - since >= MINIMUM_SECONDS and now - last >= MINIMUM_SECONDS)
