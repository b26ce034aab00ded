"""One's own account: who is signed in, and every open session with a button that ends it."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.sessions import Session

DATE = "%Y-%m-%d %H:%M UTC"


def show() -> None:
    """Show the account's sessions."""
    st.title("Account", anchor=False)
    caller = session.current_caller()
    if caller is not None:
        st.write(f"**{escape_markdown(caller.name)}**, {escape_markdown(caller.role)} in {escape_markdown(caller.project)}")
    notice = session.pop_notice()
    if notice:
        st.success(escape_markdown(notice), icon=":material/check:")
    st.subheader("Open sessions", anchor=False)
    st.caption("A session that you do not know may be somebody else's: end it, and ask an administrator for new keys.")
    sessions = session.api().sessions()
    for opened in sorted(sessions, key=lambda opened: (not opened.current, opened.created_at)):
        _show_session(opened)
    if len(sessions) > 1:
        st.button("End all sessions", on_click=display_errors(_end_all), icon=":material/logout:")


def _show_session(opened: Session) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        here = " · this browser" if opened.current else ""
        st.markdown(
            f"**{escape_markdown(opened.user_agent or 'unknown program')}**{here}  \n"
            f"project {escape_markdown(opened.project)}, opened {opened.created_at:{DATE}}, "
            f"last used {opened.last_used_at:{DATE}}, ends {opened.expires_at:{DATE}}"
        )
        if not opened.current:
            st.button("End", key=f"end-{opened.id}", on_click=display_errors(_end), args=(opened.id,), type="secondary")


def _end(session_id: str) -> None:
    session.api().end_session(session_id)
    session.set_notice("The session has ended.")


def _end_all() -> None:
    session.release_claims()
    session.api().end_sessions()
