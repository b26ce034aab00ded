"""Runs: the list with its filters and what is under way; one run, or two beside each other, when the address names them."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.evaluations import Run
from promptuary_ui.page import comparison, run
from promptuary_ui.parts import pager, verdict
from promptuary_ui.parts.figures import count, lasted, money
from promptuary_ui.parts.guard import guarded
from promptuary_ui.parts.text import plain, when

RUN, BASELINE = "run", "baseline"
ROWS, ALERTS = 20, 20
ALL_SUITES, ANY_STATE, ANY_VERDICT = "All suites", "Any state", "Any verdict"
LIVE, IDLE = 2.0, 30.0
"""Seconds between looks at the list: while something is under way, and otherwise."""
_UNDER_WAY = "runs.under_way"


def show() -> None:
    """Show what the address names: a run, a run against a baseline, or the list."""
    chosen, baseline = st.query_params.get(RUN), st.query_params.get(BASELINE)
    if chosen is None:
        _list()
    elif baseline is None:
        run.show(chosen)
    else:
        comparison.show(chosen, baseline)


def _list() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", anchor=False)
        _alerts()
    wanted = _filters()
    every = LIVE if st.session_state.get(_UNDER_WAY) else IDLE
    st.fragment(guarded(_draw), run_every=every)(wanted)


def _alerts() -> None:
    """Say that scheduled runs have dropped, where nobody has seen it yet."""
    found = session.api().alerts(ALERTS)
    if not found.items:
        return
    number = f"{len(found.items)} or more" if found.next_cursor else str(len(found.items))
    word = "alert" if len(found.items) == 1 else "alerts"
    st.badge(f"{number} open {word}, under Schedules", icon=":material/notifications:", color="red")


def _filters() -> tuple[str | None, str | None, str | None]:
    suites = [suite.name for suite in session.api().suites()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        suite = st.selectbox("Suite", [ALL_SUITES, *suites], key="runs.suite", persist_state="page", width=300)
        state = st.selectbox("State", [ANY_STATE, *verdict.STATES], key="runs.state", persist_state="page", width=180)
        found = st.selectbox("Verdict", [ANY_VERDICT, *verdict.VERDICTS], key="runs.verdict", persist_state="page", width=180)
    return (
        None if suite == ALL_SUITES else suite,
        None if state == ANY_STATE else state,
        None if found == ANY_VERDICT else found,
    )


def _draw(wanted: tuple[str | None, str | None, str | None]) -> None:
    """Show the page of runs that are wanted; drawn again by itself, so nothing in it is chosen or typed."""
    if RUN in st.query_params:  # one was opened, which draws this part alone
        st.rerun()
    suite, state, found = wanted
    cursor = pager.cursor("runs.page", wanted)
    page = session.api().runs(ROWS, cursor, suite=suite, state=state, verdict=found)
    under_way = any(not one.over for one in page.items)
    if under_way != bool(st.session_state.get(_UNDER_WAY)):
        st.session_state[_UNDER_WAY] = under_way
        st.rerun()
    if not page.items:
        said = "No run is like that." if any(wanted) else "There is no run yet. `promptuary eval run SUITE` makes one."
        st.info(said, icon=":material/inbox:")
        return
    for one in page.items:
        _row(one)
    first = (pager.page("runs.page", wanted) - 1) * ROWS
    pager.turns("runs.page", wanted, f"Runs {first + 1} to {first + len(page.items)}", page.next_cursor)


def _row(one: Run) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{plain(one.suite)}**", width="content")
                st.caption(plain(run.tried(one)), width="content")
                if one.schedule:
                    st.badge(plain(one.schedule), icon=":material/calendar_clock:", color="gray")
            if one.over:
                st.caption(f"{when(one.created_at)} · {plain(' · '.join(_facts(one)))}")
            else:
                share = one.done / one.total if one.total else 0.0
                st.progress(share, text=f"{count(one.done)} of {count(one.total)} results · {plain(one.who)}")
        verdict.badge(one)
        st.button("Open", key=f"open-{one.id}", on_click=_open, args=(one.id,))


def _facts(one: Run) -> list[str]:
    done = f"{count(one.total)} results" if one.done == one.total else f"{count(one.done)} of {count(one.total)} results"
    return [fact for fact in (one.who, done, lasted(one.started_at, one.finished_at), money(one.spent or None)) if fact]


def _open(chosen: str) -> None:
    st.session_state[run.TAB] = run.SUMMARY
    st.query_params[RUN] = chosen
