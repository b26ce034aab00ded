"""Paging through a list by the API's cursors; the visited cursors are stored, so that there is a way back."""

from collections.abc import Hashable
from typing import cast

import streamlit as st

_PagerState = tuple[Hashable, tuple[str | None, ...]]


def current_cursor(key: str, query: Hashable) -> str | None:
    """Return the cursor of the current page; another query begins at the first page."""
    return _cursors(key, query)[-1]


def page_number(key: str, query: Hashable) -> int:
    """Return the number of the current page, from 1."""
    return len(_cursors(key, query))


def show_page_buttons(key: str, query: Hashable, caption: str, next_cursor: str | None) -> None:
    """Show the caption of this page, and buttons to the previous and the next one where there are several."""
    cursors = _cursors(key, query)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(caption, width="content")
        if next_cursor is None and len(cursors) == 1:
            return
        st.space("stretch")
        st.button(
            "Previous",
            key=f"{key}.previous",
            icon=":material/chevron_left:",
            disabled=len(cursors) == 1,
            on_click=_set_cursors,
            args=(key, query, cursors[:-1]),
        )
        st.button(
            "Next",
            key=f"{key}.next",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=next_cursor is None,
            on_click=_set_cursors,
            args=(key, query, (*cursors, next_cursor)),
        )


def _cursors(key: str, query: Hashable) -> tuple[str | None, ...]:
    stored_query, cursors = cast("_PagerState", st.session_state.get(key, (None, (None,))))
    return cursors if stored_query == query else (None,)


def _set_cursors(key: str, query: Hashable, cursors: tuple[str | None, ...]) -> None:
    st.session_state[key] = (query, cursors)
