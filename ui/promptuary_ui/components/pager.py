"""Pages of a list that the API gives by cursors: the way there is kept, so that one can go back as well as on."""

from collections.abc import Hashable
from typing import cast

import streamlit as st

_PagerState = tuple[Hashable, tuple[str | None, ...]]


def current_cursor(key: str, asked: Hashable) -> str | None:
    """Give the cursor of the page to show; what is asked for anew begins at the first page."""
    return _cursors(key, asked)[-1]


def page_number(key: str, asked: Hashable) -> int:
    """Give the page's number, from 1."""
    return len(_cursors(key, asked))


def show_page_buttons(key: str, asked: Hashable, shown: str, following: str | None) -> None:
    """Show the buttons that turn pages, where there is more than one; `shown` says what is on this page."""
    way = _cursors(key, asked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(shown, width="content")
        if following is None and len(way) == 1:
            return
        st.space("stretch")
        st.button(
            "Previous",
            key=f"{key}.previous",
            icon=":material/chevron_left:",
            disabled=len(way) == 1,
            on_click=_set_cursors,
            args=(key, asked, way[:-1]),
        )
        st.button(
            "Next",
            key=f"{key}.next",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=following is None,
            on_click=_set_cursors,
            args=(key, asked, (*way, following)),
        )


def _cursors(key: str, asked: Hashable) -> tuple[str | None, ...]:
    before, way = cast("_PagerState", st.session_state.get(key, (None, (None,))))
    return way if before == asked else (None,)


def _set_cursors(key: str, asked: Hashable, way: tuple[str | None, ...]) -> None:
    st.session_state[key] = (asked, way)
