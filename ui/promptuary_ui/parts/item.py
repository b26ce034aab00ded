"""One item as a reviewer sees it: input, output and what was expected side by side, all of it as text."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from promptuary_ui.parts.text import block, plain

SIDES = {"input": 4, "output": 4, "expected": 3}
"""The sides by name, with their share of the width."""
TALL = 1200
HEIGHT = 320


def sides(payload: Mapping[str, Any]) -> None:
    """Show the three sides, or every field where the payload has none of them."""
    given = _given(payload)
    if not given:
        for name, value in payload.items():
            field(name, value)
        return
    for column, side in zip(st.columns([SIDES[side] for side in given]), given, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{side.capitalize()}**")
            value = payload[side]
            if isinstance(value, dict):
                for name, part in value.items():
                    field(name, part)
            else:
                _value(value)
    if payload.get("error"):
        field("error", payload["error"])


def field(name: str, value: Any) -> None:
    """Show a named value."""
    with st.container(gap="xxsmall"):
        st.caption(plain(name))
        _value(value)


def background(payload: Mapping[str, Any], source: str) -> None:
    """Show everything else that is known of the item, folded away: it could sway the reviewer."""
    shown = (*SIDES, "error") if _given(payload) else tuple(payload)
    with st.expander("Where this comes from", icon=":material/info:"):
        field("source", source)
        for name, value in payload.items():
            if name not in shown and value is not None:
                field(name, value)


def _given(payload: Mapping[str, Any]) -> list[str]:
    return [side for side in SIDES if payload.get(side) is not None]


def _value(value: Any) -> None:
    """Show a text as text and anything else as code; what is long scrolls in its own box."""
    if not isinstance(value, str) or not value:
        block(value)
    elif len(value) > TALL:
        with st.container(height=HEIGHT, border=False):
            st.text(value)
    else:
        st.text(value)
