"""The session of the browser that a page is shown to: who it is, looked up at every run, and nothing of any other browser."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import httpx
import streamlit as st

from promptuary_ui.client import Api, ApiError, connect
from promptuary_ui.settings import api_url, public_origin
from promptuary_ui.sign_in.cookie import session_cookie
from promptuary_ui.wire.caller import Caller

CALLER, NOTICE, PAGES = "promptuary.who", "promptuary.note", "promptuary.pages"
SIGNED_OUT = "promptuary.signed_out"


@lru_cache(maxsize=4)
def _connection(url: str) -> httpx.Client:
    return connect(url)


def connection() -> httpx.Client:
    """Return the connections to the API that all sessions share."""
    return _connection(api_url())


def token() -> str | None:
    """Return the session's token from the browser's cookie, as it was when the page was opened; None without one."""
    return session_cookie(int(st.get_option("server.port")), public_origin()).read(st.context.cookies)


def api() -> Api:
    """Return the API on behalf of this session."""
    return Api(connection(), token() or "")


def look_up_caller() -> Caller | None:
    """Return who is signed in, None where nobody is; a session that was ended elsewhere is noticed here.

    Raises:
        ApiError: when the API does not respond.
    """
    caller = None
    if token() is not None:
        try:
            caller = api().whoami()
        except ApiError as error:
            if not error.unauthenticated:
                raise
    st.session_state[CALLER] = caller
    return caller


def current_caller() -> Caller | None:
    """Return the caller whom this run looked up, or None."""
    return cast("Caller | None", st.session_state.get(CALLER))


def has_scope(scope: str) -> bool:
    """Return whether the signed-in caller has a scope."""
    caller = current_caller()
    return caller is not None and scope in caller.scopes


def app_page(path: str) -> Any:
    """Return the page of a path such as `runs`, for links to it; None when a page runs without the app, or is not allowed."""
    return st.session_state.get(PAGES, {}).get(path)


def set_app_pages(pages: Mapping[str, Any]) -> None:
    """Store the pages that the caller may open, by their paths."""
    st.session_state[PAGES] = dict(pages)


def sign_out() -> None:
    """Release what is claimed, end the session in every tab and wherever else its token is, and forget what this tab knows.

    Raises:
        ApiError: when the API does not respond; the session is open then.
    """
    session_id = (token() or "").split("_")[1:2]
    try:
        release_claims()
        api().end_session(*session_id)
    except ApiError as error:
        if not (error.unauthenticated or error.status == 404):
            raise
    st.session_state.clear()
    st.session_state[SIGNED_OUT] = True


def release_claims() -> None:
    """Release what the caller has claimed, so that others get the items before the leases end."""
    if has_scope("review:decide"):
        api().release_claims()


def has_signed_out() -> bool:
    """Return whether this tab has just signed out."""
    return bool(st.session_state.get(SIGNED_OUT))


def set_notice(text: str) -> None:
    """Store a message that the next page shows once."""
    st.session_state[NOTICE] = text


def pop_notice() -> str | None:
    """Return the stored message, and delete it."""
    return cast("str | None", st.session_state.pop(NOTICE, None))
