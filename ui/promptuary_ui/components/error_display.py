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
    """Wrap a page so that it shows the server's error message, and signs out when the API does not accept the key."""

    @functools.wraps(show)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            show(*args, **kwargs)
        except ApiError as error:
            if error.unauthenticated:
                session.sign_out()
                session.set_notice("Your API key is no longer valid. Sign in again.")
                st.rerun()
            st.error(escape_markdown(error_message(error)), icon=":material/error:")

    return wrapped


def error_message(error: ApiError) -> str:
    """Return an error's message as a sentence, with a capital letter and a full stop."""
    text = error.message[:1].upper() + error.message[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
