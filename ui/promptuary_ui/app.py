"""The app's entry, which `promptuary_ui.launch` hands to Streamlit: who is signed in decides which pages there are."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.answers import Who
from promptuary_ui.page import prompts, review, runs, schedules, sign_in
from promptuary_ui.parts.guard import guarded
from promptuary_ui.parts.text import plain

HERE = Path(__file__).parent


def pages(scopes: Collection[str]) -> dict[Any, str]:
    """Give every page with the scope that it needs. All of them are always there, so that no address is unknown."""

    def page(scope: str, show: Any, title: str, icon: str, *, default: bool = False) -> Any:
        seen = "visible" if scope in scopes else "hidden"
        return st.Page(show, title=title, icon=icon, url_path=title.lower(), default=default, visibility=seen)

    known = [
        ("review:decide", review.show, "Review", ":material/rate_review:"),
        ("run:read", runs.show, "Runs", ":material/science:"),
        ("run:read", schedules.show, "Schedules", ":material/calendar_clock:"),
        ("prompt:read", prompts.show, "Prompts", ":material/description:"),
    ]
    return {
        page(scope, show, title, icon, default=number == 0): scope for number, (scope, show, title, icon) in enumerate(known)
    }


def main() -> None:
    """Draw the page that the address names, or the sign-in in its place, so that the address stays."""
    st.set_page_config(page_title="Promptuary", page_icon=str(HERE / "mark.svg"), layout="wide")
    st.html(HERE / "style.css")
    who = session.who()
    if who is None:
        st.navigation(list(pages(())), position="hidden")
        sign_in.show()
    else:
        signed_in(who)


def signed_in(who: Who) -> None:
    """Draw the page, with who is signed in beside it; a page that the key does not open leads to one that it does."""
    known = pages(who.scopes)
    chosen = st.navigation(list(known))
    session.keep_runs_page(next(page for page in known if page.url_path == "runs"))
    allowed = [page for page, scope in known.items() if scope in who.scopes]
    if allowed and chosen not in allowed:
        st.switch_page(allowed[0])
    st.logo(HERE / "wordmark.svg", size="large", icon_image=HERE / "mark.svg")
    with st.sidebar:
        st.caption(f"Signed in as **{plain(who.name)}**  \n{plain(who.role)} in the project {plain(who.project)}")
        st.button("Sign out", on_click=session.sign_out, icon=":material/logout:", type="tertiary")
    guarded(chosen.run)()


main()
