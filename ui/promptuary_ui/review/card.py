"""The review card: a component in the browser that shows items and sends decisions to the routes beside it."""

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

NAME = "promptuary.review_card"
"""The distribution's name and the component's; its files are named in `promptuary/pyproject.toml`."""


@cache
def _component() -> Any:
    """Register the component; the running server must exist by then, since it knows the installed files."""
    html = '<div class="pr-root"></div>'
    return st.components.v2.component(NAME, html=html, css="card.css", js="card.js", isolate_styles=False)


def show(queue: str, reviewer: str, on_leave: Callable[[], None]) -> None:
    """Show the card of a queue. Streamlit mounts it once, and the browser owns it from then on.

    Args:
        queue: the queue's name.
        reviewer: the identity of the signed-in person; what the browser keeps is kept by it.
        on_leave: called when the reviewer wants the list of queues.
    """
    _component()(key=f"review-{queue}", data={"queue": queue, "reviewer": reviewer}, on_leave_change=on_leave)
