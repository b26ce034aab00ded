"""Schedules and alerts: what has dropped against its own history, and which suites run when."""

from collections.abc import Callable

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.evaluations import Alert, LastRun, Schedule
from promptuary_ui.page.run import RUN, SUMMARY, TAB
from promptuary_ui.parts import pager
from promptuary_ui.parts.figures import number
from promptuary_ui.parts.guard import sentence
from promptuary_ui.parts.text import plain, when
from promptuary_ui.parts.verdict import STATES, VERDICTS

ROWS = 20


def show() -> None:
    """Show the alerts above the schedules."""
    st.title("Schedules", anchor=False)
    note = session.taken_note()
    if note:
        st.caption(f":material/info: {plain(note)}")
    _alerts()
    st.subheader("Suites that run by themselves", anchor=False)
    key = "schedules.page"
    page = session.api().schedules(ROWS, pager.cursor(key, ()))
    if not page.items:
        st.info("There is no schedule yet. `promptuary eval schedule set` makes one.", icon=":material/inbox:")
        return
    for schedule in page.items:
        _schedule(schedule)
    first = (pager.page(key, ()) - 1) * ROWS
    pager.turns(key, (), f"Schedules {first + 1} to {first + len(page.items)}", page.next_cursor)


def _alerts() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Alerts", anchor=False)
        every = st.toggle("Also those that somebody has seen", key="alerts.every", persist_state="page")
    key = "alerts.page"
    page = session.api().alerts(ROWS, pager.cursor(key, every), unseen=not every)
    if not page.items:
        said = "There is no alert." if every else "There is no open alert."
        st.success(f"{said} No scheduled run has dropped against its own history.", icon=":material/check:")
        return
    for alert in page.items:
        _alert(alert)
    first = (pager.page(key, every) - 1) * ROWS
    pager.turns(key, every, f"Alerts {first + 1} to {first + len(page.items)}", page.next_cursor)


def _alert(alert: Alert) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap="xsmall"):
            st.markdown(f":red[:material/trending_down:] **{plain(alert.suite)}**: {plain(alert.sentence)}")
            facts = [when(alert.at), plain(alert.schedule), plain(alert.model), plain(alert.metric)]
            if alert.seen_by:
                facts.append(f"seen by {plain(alert.seen_by.removeprefix('key:'))}")
            st.caption(" · ".join(facts))
        _run_link(alert.run)
        if alert.seen_by is None and session.may("run:write"):
            st.button(
                "Seen", key=f"seen-{alert.id}", icon=":material/visibility:", on_click=_tell, args=(session.api().see, alert.id)
            )


def _schedule(schedule: Schedule) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(schedule.name)}**", width="content")
            st.caption(plain(f"runs {schedule.suite}" + (f" at {schedule.label}" if schedule.label else "")), width="content")
            if schedule.paused:
                st.badge("paused", icon=":material/pause:", color="gray")
            st.space("stretch")
            if session.may("run:write"):
                _switches(schedule)
        st.caption(f"`{schedule.cron}` in {plain(schedule.zone)} · {_next(schedule)} · {_margin(schedule)}")
        if schedule.last is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption("Last run", width="content")
                _last(schedule.last)
                _run_link(schedule.last.id)
        if schedule.error:
            st.error(f"The last time gave no run: {plain(schedule.error)}", icon=":material/error:")


def _switches(schedule: Schedule) -> None:
    api, key = session.api(), schedule.name
    if schedule.paused:
        st.button("Resume", key=f"resume-{key}", icon=":material/play_arrow:", on_click=_tell, args=(api.resume_schedule, key))
    else:
        st.button("Pause", key=f"pause-{key}", icon=":material/pause:", on_click=_tell, args=(api.pause_schedule, key))
    st.button("Run now", key=f"now-{key}", icon=":material/bolt:", on_click=_tell, args=(api.run_schedule, key))


def _next(schedule: Schedule) -> str:
    if schedule.paused:
        return "no next time while it is paused"
    times = schedule.next_times or ([schedule.next_at] if schedule.next_at else [])
    return "next " + ", ".join(when(time) for time in times) if times else "no next time"


def _margin(schedule: Schedule) -> str:
    if schedule.margin == 0:
        return "alerts on any drop that is shown"
    return f"bears a drop of {number(schedule.margin)}"


def _last(run: LastRun) -> None:
    colour, icon = VERDICTS.get(run.verdict or "") or STATES.get(run.state, ("gray", ":material/help:"))
    st.badge(plain(run.verdict or run.state), color=colour, icon=icon)


def _run_link(run: str) -> None:
    page = session.runs_page()
    if page is None:
        st.caption(plain(run))
    else:
        st.page_link(page, label="Open the run", icon=":material/science:", query_params={RUN: run, TAB: SUMMARY})


def _tell(call: Callable[[str], None], name: str) -> None:
    """Make a call of a button; a refusal becomes a note, for the page then shows what is current."""
    try:
        call(name)
    except ApiError as error:
        session.note(sentence(error))
