"""Runs: the list with its filters and what is under way; one run, or two beside each other, when the address names them."""

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
"""Seconds between looks at the list: while something is under way, and otherwise."""
_ANY_RUNNING = "runs.under_way"


def show() -> None:
    """Show what the address names: a run, a run against a baseline, or the list."""
    chosen, baseline = st.query_params.get(RUN), st.query_params.get(BASELINE)
    if chosen is None:
        _show_list()
    elif baseline is None:
        run.show(chosen)
    else:
        comparison.show(chosen, baseline)


def _show_list() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", anchor=False)
        _show_alert_count()
    wanted = _choose_filters()
    every = LIVE_SECONDS if st.session_state.get(_ANY_RUNNING) else IDLE_SECONDS
    st.fragment(display_errors(_show_runs), run_every=every)(wanted)


def _show_alert_count() -> None:
    """Say that scheduled runs have dropped, where nobody has seen it yet."""
    found = session.api().alerts(ALERT_LIMIT)
    if not found.items:
        return
    number = f"{len(found.items)} or more" if found.next_cursor else str(len(found.items))
    word = "alert" if len(found.items) == 1 else "alerts"
    st.badge(f"{number} open {word}, under Schedules", icon=":material/notifications:", color="red")


def _choose_filters() -> tuple[str | None, str | None, str | None]:
    suites = [suite.name for suite in session.api().suites()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        suite = st.selectbox("Suite", [ALL_SUITES, *suites], key="runs.suite", persist_state="page", width=300)
        state = st.selectbox("State", [ANY_STATE, *badges.STATE_STYLES], key="runs.state", persist_state="page", width=180)
        found = st.selectbox(
            "Verdict", [ANY_VERDICT, *badges.VERDICT_STYLES], key="runs.verdict", persist_state="page", width=180
        )
    return (
        None if suite == ALL_SUITES else suite,
        None if state == ANY_STATE else state,
        None if found == ANY_VERDICT else found,
    )


def _show_runs(wanted: tuple[str | None, str | None, str | None]) -> None:
    """Show the page of runs that are wanted; drawn again by itself, so nothing in it is chosen or typed."""
    if RUN in st.query_params:  # one was opened, which draws this part alone
        st.rerun()
    suite, state, found = wanted
    cursor = pager.current_cursor("runs.page", wanted)
    page = session.api().runs(PAGE_SIZE, cursor, suite=suite, state=state, verdict=found)
    under_way = any(not one.over for one in page.items)
    if under_way != bool(st.session_state.get(_ANY_RUNNING)):
        st.session_state[_ANY_RUNNING] = under_way
        st.rerun()
    if not page.items:
        said = "No run is like that." if any(wanted) else "There is no run yet. `promptuary eval run SUITE` makes one."
        st.info(said, icon=":material/inbox:")
        return
    for one in page.items:
        _show_run(one)
    first = (pager.page_number("runs.page", wanted) - 1) * PAGE_SIZE
    pager.show_page_buttons("runs.page", wanted, f"Runs {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_run(one: Run) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{escape_markdown(one.suite)}**", width="content")
                st.caption(escape_markdown(run.describe_run(one)), width="content")
                if one.schedule:
                    st.badge(escape_markdown(one.schedule), icon=":material/calendar_clock:", color="gray")
            if one.over:
                st.caption(f"{format_time(one.created_at)} · {escape_markdown(' · '.join(_run_facts(one)))}")
            else:
                share = one.done / one.total if one.total else 0.0
                st.progress(
                    share, text=f"{format_count(one.done)} of {format_count(one.total)} results · {escape_markdown(one.who)}"
                )
        badges.show_run_badge(one)
        st.button("Open", key=f"open-{one.id}", on_click=_open_run, args=(one.id,))


def _run_facts(one: Run) -> list[str]:
    done = (
        f"{format_count(one.total)} results"
        if one.done == one.total
        else f"{format_count(one.done)} of {format_count(one.total)} results"
    )
    return [
        fact
        for fact in (one.who, done, format_duration(one.started_at, one.finished_at), format_usd(one.spent or None))
        if fact
    ]


def _open_run(chosen: str) -> None:
    st.query_params[RUN] = chosen
