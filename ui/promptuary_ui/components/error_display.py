"""The display of failed API calls on a page."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components.text import escape_markdown

P = ParamSpec("P")


def display_errors(show: Callable[P, None]) -> Callable[P, None]:
    """Wrap a page so that it shows the server's error message, and leaves it when the session has ended."""

    @functools.wraps(show)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            show(*args, **kwargs)
        except ApiError as error:
            if error.unauthenticated and session.look_up_caller() is None:
                st.rerun()  # the session has ended, and the app goes to the sign-in page
            st.error(escape_markdown(error.sentence), icon=":material/error:")

    return wrapped


def call_for_button(call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call the API for a button; an error becomes a notice on the page, which then shows the current state."""
    try:
        call(*args, **kwargs)
    except ApiError as error:
        session.set_notice(error.sentence)
