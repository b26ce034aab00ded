"""The entry script that `promptuary_ui.launch` runs in Streamlit; the caller's scopes decide which pages are visible."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.page import account, agreement, deliveries, judges, prompts, review, runs, schedules, sign_in, traffic
from promptuary_ui.wire.caller import Caller

HERE = Path(__file__).parent
RETRY_SECONDS = 3.0
"""Seconds between attempts to reach an API that does not respond."""


def pages(scopes: Collection[str]) -> dict[Any, str]:
    """Return every page with the scope that it requires. All pages are registered, so that no address is unknown."""

    def page(scope: str, show: Any, title: str, icon: str, *, default: bool = False) -> Any:
        visibility = "visible" if scope in scopes else "hidden"
        return st.Page(show, title=title, icon=icon, url_path=title.lower(), default=default, visibility=visibility)

    definitions = [
        ("review:decide", review.show, "Review", ":material/rate_review:"),
        ("run:read", runs.show, "Runs", ":material/science:"),
        ("review:read", agreement.show, "Agreement", ":material/balance:"),
        ("run:read", judges.show, "Judges", ":material/gavel:"),
        ("traffic:read", traffic.show, "Traffic", ":material/monitoring:"),
        ("run:read", schedules.show, "Schedules", ":material/calendar_clock:"),
        ("prompt:read", prompts.show, "Prompts", ":material/description:"),
        ("project:manage", deliveries.show, "Deliveries", ":material/local_shipping:"),
        ("session:own", account.show, "Account", ":material/account_circle:"),
    ]
    return {
        page(scope, show, title, icon, default=number == 0): scope
        for number, (scope, show, title, icon) in enumerate(definitions)
    }


def main() -> None:
    """Show the page of the address, or go to the sign-in page and come back after it."""
    st.set_page_config(page_title="Promptuary", page_icon=str(HERE / "mark.svg"), layout="wide")
    st.html(HERE / "style.css")
    try:
        caller = session.look_up_caller()
    except ApiError as error:
        st.navigation(list(pages(())), position="hidden")
        st.error(escape_markdown(error.sentence), icon=":material/error:")
        _wait_for_the_api()
        return
    if caller is not None:
        show_signed_in(caller)
        return
    st.navigation(list(pages(())), position="hidden")
    ended = "ended" if session.token() else None
    sign_in.show("signed-out" if session.has_signed_out() else ended)


def _retry() -> None:
    """Show the page again as soon as the API responds."""
    try:
        session.look_up_caller()
    except ApiError:
        st.caption("This page tries again by itself. Decisions and comments that are not saved yet are kept in this tab.")
    else:
        st.rerun()


_wait_for_the_api = st.fragment(_retry, run_every=RETRY_SECONDS)


def show_signed_in(caller: Caller) -> None:
    """Show the page with the caller's name in the sidebar; redirect from a page that the caller's scopes do not allow."""
    app_pages = pages(caller.scopes)
    chosen = st.navigation(list(app_pages))
    allowed = [page for page, scope in app_pages.items() if scope in caller.scopes]
    session.set_app_pages({page.url_path: page for page in allowed})
    if allowed and chosen not in allowed:
        st.switch_page(allowed[0])
    st.logo(HERE / "wordmark.svg", size="large", icon_image=HERE / "mark.svg")
    with st.sidebar:
        name, role, project = (escape_markdown(text) for text in (caller.name, caller.role, caller.project))
        st.caption(f"Signed in as **{name}**  \n{role} in the project {project}")
        st.button("Sign out", on_click=display_errors(session.sign_out), icon=":material/logout:", type="tertiary")
    if allowed:
        display_errors(chosen.run)()
    else:
        st.info("The role of this key has no page here: it is for applications. Sign in with a key of your own.")


main()
