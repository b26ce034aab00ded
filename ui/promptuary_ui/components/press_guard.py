"""Protection against accidental presses: on an item that has just appeared, or by the repeat of a pressed key.

The API accepts at most one decision for a claim, and only with the claim's nonce. It cannot detect that the next item has
appeared while the reviewer is still pressing. So the browser forwards a press only when the item has been painted for a
minimum time, when the last press was at least as long ago, and when the key is not repeating. The server could not decide
this: it knows only when it processes a press, and a slow server processes the repeats of one press far apart.
"""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import streamlit as st

MINIMUM_SECONDS = 0.6
"""The minimum time, in seconds, between the display of an item and a press, and between two presses."""
_SCRIPT = Path(__file__).with_name("press_guard.js")
_DISPLAYED = "press_guard.displayed"


def script() -> str:
    """Return the JavaScript that refuses accidental presses on the buttons of the page's container with the key `decide-…`."""
    return _SCRIPT.read_text(encoding="utf-8").replace("__MINIMUM_MILLISECONDS__", str(round(MINIMUM_SECONDS * 1000)))


def install() -> None:
    """Add the script to the page; a page that has it already is not changed."""
    st.html(f"<script>{script()}</script>", unsafe_allow_javascript=True)


def record_display(state: MutableMapping[Any, Any], claim: str) -> None:
    """Record the claim that the page displays."""
    state[_DISPLAYED] = claim


def is_displayed(state: MutableMapping[Any, Any], claim: str) -> bool:
    """Return whether the page displays this claim, so that a late press on an earlier item is ignored."""
    return bool(state.get(_DISPLAYED) == claim)
