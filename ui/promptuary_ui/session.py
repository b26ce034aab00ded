"""What one browser session knows: its key, who that is, and nothing of any other session."""

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
    """Give the API on behalf of this session's key, or of one that is being tried."""
    return Api(_connection(api_url()), key if key is not None else st.session_state[KEY])


def current_caller() -> Caller | None:
    """Give who is signed in; None for nobody."""
    return cast("Caller | None", st.session_state.get(CALLER))


def has_scope(scope: str) -> bool:
    """Tell whether who is signed in may do something."""
    found = current_caller()
    return found is not None and scope in found.scopes


def runs_page() -> Any:
    """Give the page of runs, for links that lead to one; None where the app has not been put together."""
    return st.session_state.get(RUNS_PAGE)


def set_runs_page(page: Any) -> None:
    """Keep the page of runs."""
    st.session_state[RUNS_PAGE] = page


def sign_in(key: str) -> None:
    """Keep a key for this session, if the API takes it.

    Raises:
        ApiError: when it does not.
    """
    found = api(key).whoami()
    st.session_state[KEY], st.session_state[CALLER] = key, found


def sign_out() -> None:
    """Forget everything that this session knows."""
    st.session_state.clear()


def set_notice(text: str) -> None:
    """Say something once, on the next page that is drawn."""
    st.session_state[NOTICE] = text


def pop_notice() -> str | None:
    """Give what is to be said, once."""
    return cast("str | None", st.session_state.pop(NOTICE, None))
