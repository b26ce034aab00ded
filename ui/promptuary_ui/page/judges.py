"""The judges page: how far each judge of a metric agrees with people, and whether its figures may be relied on."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.judge_calibration import show_calibration
from promptuary_ui.components.judge_figures import JUDGE
from promptuary_ui.components.pager import current_cursor, show_page_buttons

PAGE_SIZE = 5
PAGER = "judges.page"


def show() -> None:
    """Show the judge that the address names, or all of them."""
    chosen = st.query_params.get(JUDGE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Judges", anchor=False)
        if chosen is not None:
            st.button("All judges", icon=":material/arrow_back:", on_click=_leave_judge)
    st.caption(
        "A judge is a model that scores outputs. Labels of people show how far its scores may be relied on; they must be of a "
        "random part of a run's results. Figures are weighted by the chance of each output to be labelled."
    )
    if chosen is not None:
        show_calibration(session.api().calibration(chosen))
        return
    page = session.api().judges(PAGE_SIZE, current_cursor(PAGER, None))
    if not page.items:
        st.info("No suite has a judge yet: a scorer such as `llm-rubric` is one.", icon=":material/gavel:")
        return
    for judge in page.items:
        show_calibration(session.api().calibration(judge.digest))
    show_page_buttons(PAGER, None, "By metric", page.next_cursor)


def _leave_judge() -> None:
    st.query_params.pop(JUDGE, None)
