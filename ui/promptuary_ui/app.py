"""The app's entry: who is signed in decides which pages there are. Run by `promptuary ui`, or by `streamlit run` on this file."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.pages import prompts, review, runs, sign_in
from promptuary_ui.parts.guard import guarded
from promptuary_ui.parts.text import plain

PAGES = {
    "review:decide": st.Page(review.show, title="Review", icon=":material/rate_review:", url_path="review", default=True),
    "run:read": st.Page(runs.show, title="Runs", icon=":material/science:", url_path="runs"),
    "prompt:read": st.Page(prompts.show, title="Prompts", icon=":material/description:", url_path="prompts"),
}


def main() -> None:
    """Draw the page that the address names, or the sign-in in its place, so that the address stays."""
    st.set_page_config(page_title="Promptuary", page_icon=":material/rate_review:", layout="wide")
    who = session.who()
    if who is None:
        st.navigation(list(PAGES.values()), position="hidden")
        sign_in.show()
        return
    allowed = [page for scope, page in PAGES.items() if scope in who.scopes]
    hidden = [page for page in PAGES.values() if page not in allowed]
    chosen = st.navigation(allowed or hidden)
    with st.sidebar:
        st.caption(f"Signed in as **{plain(who.name)}**  \n{plain(who.role)} in the project {plain(who.project)}")
        st.button("Sign out", on_click=session.sign_out, icon=":material/logout:", type="tertiary")
    guarded(chosen.run)()


main()
