"""What happens on a page when the API refuses or does not answer."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components.text import escape_markdown

P = ParamSpec("P")


def display_errors(show: Callable[P, None]) -> Callable[P, None]:
    """Show the server's sentence in the page's place; a key that is no longer taken signs out."""

    @functools.wraps(show)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            show(*args, **kwargs)
        except ApiError as error:
            if error.unauthenticated:
                session.sign_out()
                session.set_notice("Your key is no longer taken. Sign in again.")
                st.rerun()
            st.error(escape_markdown(error_message(error)), icon=":material/error:")

    return shown


def error_message(error: ApiError) -> str:
    """Give an error's sentence with a capital and a full stop."""
    text = error.sentence[:1].upper() + error.sentence[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
