"""The runs page: the list of runs with its filters, one run, or a comparison of two runs, as the address names them."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import badges, pager
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.number_format import format_count, format_duration, format_usd
from promptuary_ui.components.text import escape_markdown, format_time
from promptuary_ui.page import comparison, run
from promptuary_ui.wire.runs import Run

RUN, BASELINE = "run", "baseline"
PAGE_SIZE, ALERT_LIMIT = 20, 20
ALL_SUITES, ANY_STATE, ANY_VERDICT = "All suites", "Any state", "Any verdict"
LIVE_SECONDS, IDLE_SECONDS = 2.0, 30.0
"""Seconds between refreshes of the list: while a run is active, and otherwise."""
_ANY_RUNNING = "runs.any_running"


def show() -> None:
    """Show a run, a run against a baseline, or the list, as the address names them."""
    run_id, baseline = st.query_params.get(RUN), st.query_params.get(BASELINE)
    if run_id is None:
        _show_list()
    elif baseline is None:
        run.show(run_id)
    else:
        comparison.show(run_id, baseline)


def _show_list() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", anchor=False)
        _show_alert_count()
    filters = _choose_filters()
    interval = LIVE_SECONDS if st.session_state.get(_ANY_RUNNING) else IDLE_SECONDS
    st.fragment(display_errors(_show_runs), run_every=interval)(filters)


def _show_alert_count() -> None:
    """Show the number of open alerts, if there are any."""
    page = session.api().alerts(ALERT_LIMIT)
    if not page.items:
        return
    number = f"{len(page.items)} or more" if page.next_cursor else str(len(page.items))
    word = "alert" if len(page.items) == 1 else "alerts"
    st.badge(f"{number} open {word}, under Schedules", icon=":material/notifications:", color="red")


def _choose_filters() -> tuple[str | None, str | None, str | None]:
    suites = [suite.name for suite in session.api().suites()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        suite = st.selectbox("Suite", [ALL_SUITES, *suites], key="runs.suite", persist_state="page", width=300)
        state = st.selectbox("State", [ANY_STATE, *badges.STATE_STYLES], key="runs.state", persist_state="page", width=180)
        verdict = st.selectbox(
            "Verdict", [ANY_VERDICT, *badges.VERDICT_STYLES], key="runs.verdict", persist_state="page", width=180
        )
    return (
        None if suite == ALL_SUITES else suite,
        None if state == ANY_STATE else state,
        None if verdict == ANY_VERDICT else verdict,
    )


def _show_runs(filters: tuple[str | None, str | None, str | None]) -> None:
    """Show a page of runs; it refreshes automatically, so it contains no input fields."""
    if RUN in st.query_params:  # a run was opened, which reruns only this fragment
        st.rerun()
    suite, state, run_verdict = filters
    cursor = pager.current_cursor("runs.page", filters)
    page = session.api().runs(PAGE_SIZE, cursor, suite=suite, state=state, verdict=run_verdict)
    any_running = any(not listed_run.over for listed_run in page.items)
    if any_running != bool(st.session_state.get(_ANY_RUNNING)):
        st.session_state[_ANY_RUNNING] = any_running
        st.rerun()
    if not page.items:
        message = (
            "No run matches the filters." if any(filters) else "There is no run yet. `promptuary eval run SUITE` starts a run."
        )
        st.info(message, icon=":material/inbox:")
        return
    for listed_run in page.items:
        _show_run(listed_run)
    first = (pager.page_number("runs.page", filters) - 1) * PAGE_SIZE
    pager.show_page_buttons("runs.page", filters, f"Runs {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_run(listed_run: Run) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{escape_markdown(listed_run.suite)}**", width="content")
                st.caption(escape_markdown(run.describe_run(listed_run)), width="content")
                if listed_run.schedule:
                    st.badge(escape_markdown(listed_run.schedule), icon=":material/calendar_clock:", color="gray")
            if listed_run.over:
                st.caption(f"{format_time(listed_run.created_at)} · {escape_markdown(' · '.join(_run_facts(listed_run)))}")
            else:
                share = listed_run.done / listed_run.total if listed_run.total else 0.0
                results = f"{format_count(listed_run.done)} of {format_count(listed_run.total)} results"
                st.progress(share, text=f"{results} · {escape_markdown(listed_run.who)}")
        badges.show_run_badge(listed_run)
        st.button("Open", key=f"open-{listed_run.id}", on_click=_open_run, args=(listed_run.id,))


def _run_facts(listed_run: Run) -> list[str]:
    results = (
        f"{format_count(listed_run.total)} results"
        if listed_run.done == listed_run.total
        else f"{format_count(listed_run.done)} of {format_count(listed_run.total)} results"
    )
    return [
        fact
        for fact in (
            listed_run.who,
            results,
            format_duration(listed_run.started_at, listed_run.finished_at),
            format_usd(listed_run.spent or None),
        )
        if fact
    ]


def _open_run(run_id: str) -> None:
    st.query_params[RUN] = run_id
