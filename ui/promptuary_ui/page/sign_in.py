"""The sign-in form: a person pastes their API key, which stays in this session and is sent to the API only."""

import uuid

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components.error_display import error_message
from promptuary_ui.components.text import escape_markdown

_FIELD_KEY = "sign_in.field"


def show() -> None:
    """Show the form; after a successful sign-in, the page of the address follows."""
    _, middle, _ = st.columns([1, 1.4, 1])
    with middle:
        st.space("large")
        st.title("Promptuary", anchor=False)
        st.write("Review outputs, inspect evaluation runs and look up prompts.")
        note = session.pop_notice()
        if note:
            st.info(escape_markdown(note), icon=":material/info:")
        with st.form("sign_in"):
            field = st.session_state.setdefault(
                _FIELD_KEY, f"key-{uuid.uuid4().hex}"
            )  # new after each sign-out, so it is empty
            key = st.text_input("API key", type="password", key=field, placeholder="pmt_…", autocomplete="current-password")
            submitted_form = st.form_submit_button("Sign in", type="primary", width="stretch")
        st.caption("An administrator creates keys with `promptuary key create NAME --role reviewer`.")
        if submitted_form:
            _sign_in(key.strip())


def _sign_in(key: str) -> None:
    if not key:
        st.error("Paste your API key first.", icon=":material/error:")
        return
    try:
        session.sign_in(key)
    except ApiError as error:
        st.error(escape_markdown(error_message(error)), icon=":material/error:")
        return
    st.rerun()
