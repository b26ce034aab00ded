"""A review item: its name, and its input, output and expected value side by side, all of it as plain text."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from promptuary_ui.components.text import escape_markdown, show_block

SIDES = {"input": 4, "output": 4, "expected": 3}
"""The columns by name, with their share of the width."""
LONG_TEXT = 1200
HEIGHT = 320
BEGINNING = 80
"""The number of characters of a text that name an item."""


def show_payload(payload: Mapping[str, Any]) -> None:
    """Show input, output and expected value, or every field where the payload has none of them."""
    present = _present_sides(payload)
    if not present:
        for name, value in payload.items():
            show_field(name, value)
        return
    for column, side in zip(st.columns([SIDES[side] for side in present]), present, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{side.capitalize()}**")
            value = payload[side]
            if isinstance(value, dict):
                for name, part in value.items():
                    show_field(name, part)
            else:
                _show_value(value)
    if payload.get("error"):
        show_field("error", payload["error"])


def show_field(name: str, value: Any) -> None:
    """Show a named value."""
    with st.container(gap="xxsmall"):
        st.caption(escape_markdown(name))
        _show_value(value)


def _present_sides(payload: Mapping[str, Any]) -> list[str]:
    return [side for side in SIDES if payload.get(side) is not None]


def _show_value(value: Any) -> None:
    """Show a text as text and anything else as a code block; a long text scrolls in its own box."""
    if not isinstance(value, str) or not value:
        show_block(value)
    elif len(value) > LONG_TEXT:
        with st.container(height=HEIGHT, border=False):
            st.text(value)
    else:
        st.text(value)


def name_item(case: str | None, contents: Any, item: str) -> str:
    """Return an item's name as Markdown: the case and how its input or output begins; the item's id where it has neither.

    Args:
        case: the id of the item's case.
        contents: its input, or its output where it has no input.
        item: the item's id.
    """
    beginning = " ".join(_first_text(contents).split())
    if len(beginning) > BEGINNING:
        beginning = f"{beginning[: BEGINNING - 1].rstrip()}…"
    parts = [f"**{escape_markdown(case)}**"] if case else []
    parts += [escape_markdown(beginning)] if beginning else []
    return " · ".join(parts) or f"**{escape_markdown(item)}**"


def _first_text(value: Any) -> str:
    """Return the first text in a value."""
    if isinstance(value, str):
        return value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((text for part in parts if (text := _first_text(part)).strip()), "")
