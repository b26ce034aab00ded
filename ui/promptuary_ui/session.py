"""The state of one browser session: its key and its caller, and nothing of any other session."""

from functools import lru_cache
from typing import Any, cast

import httpx
import streamlit as st

from promptuary_ui.client import Api, connect
from promptuary_ui.settings import api_url
from promptuary_ui.wire.caller import Caller

KEY, CALLER, NOTICE, RUNS_PAGE = "promptuary.key", "promptuary.who", "promptuary.note", "promptuary.runs"


@lru_cache(maxsize=4)
def _connection(url: str) -> httpx.Client:
    return connect(url)


def api(key: str | None = None) -> Api:
    """Return the API on behalf of this session's key, or of the given one."""
    return Api(_connection(api_url()), key if key is not None else st.session_state[KEY])


def current_caller() -> Caller | None:
    """Return the signed-in caller, or None."""
    return cast("Caller | None", st.session_state.get(CALLER))


def has_scope(scope: str) -> bool:
    """Return whether the signed-in caller has a scope."""
    caller = current_caller()
    return caller is not None and scope in caller.scopes


def runs_page() -> Any:
    """Return the runs page, for links to it; None when a page runs without the app."""
    return st.session_state.get(RUNS_PAGE)


def set_runs_page(page: Any) -> None:
    """Store the runs page."""
    st.session_state[RUNS_PAGE] = page


def sign_in(key: str) -> None:
    """Store a key for this session, if the API accepts it.

    Raises:
        ApiError: when the API does not accept it.
    """
    caller = api(key).whoami()
    st.session_state[KEY], st.session_state[CALLER] = key, caller


def sign_out() -> None:
    """Delete the state of this session."""
    st.session_state.clear()


def set_notice(text: str) -> None:
    """Store a message that the next page shows once."""
    st.session_state[NOTICE] = text


def pop_notice() -> str | None:
    """Return the stored message, and delete it."""
    return cast("str | None", st.session_state.pop(NOTICE, None))
