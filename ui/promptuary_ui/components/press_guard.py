"""Protection against accidental presses: on an item that has just appeared, or by the repeat of a pressed key.

The API accepts at most one decision for a claim, and only with the claim's nonce. It cannot detect that the next item has
appeared while the reviewer is still pressing. So a press is accepted only when the item has been on the page for a minimum
time, and when the last press was at least as long ago.
"""

import time
from collections.abc import MutableMapping
from typing import Any

MINIMUM_SECONDS = 0.6
"""The minimum time, in seconds, between the display of an item and a press, and between two presses."""
_DISPLAYED, _LAST_PRESS = "pace.shown", "pace.pressed"


def record_display(state: MutableMapping[Any, Any], claim: str, now: float | None = None) -> None:
    """Record when a claim was first displayed."""
    if state.get(_DISPLAYED, ("", 0.0))[0] != claim:
        state[_DISPLAYED] = (claim, time.monotonic() if now is None else now)


def accept_press(state: MutableMapping[Any, Any], claim: str, now: float | None = None) -> bool:
    """Return whether a press on this claim is accepted, and record the press in any case."""
    now = time.monotonic() if now is None else now
    last, state[_LAST_PRESS] = state.get(_LAST_PRESS, -MINIMUM_SECONDS), now
    displayed, since = state.get(_DISPLAYED, ("", 0.0))
    return bool(displayed == claim and now - since >= MINIMUM_SECONDS and now - last >= MINIMUM_SECONDS)
