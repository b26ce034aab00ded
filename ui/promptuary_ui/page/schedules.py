"""The schedules page: alerts about drops against a suite's own history, and the schedules of suites."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import pager
from promptuary_ui.components.badges import STATE_STYLES, VERDICT_STYLES
from promptuary_ui.components.error_display import call_for_button
from promptuary_ui.components.number_format import format_score
from promptuary_ui.components.text import escape_markdown, format_time
from promptuary_ui.page.run import RUN
from promptuary_ui.wire.schedules import Alert, LastRun, Schedule

PAGE_SIZE = 20


def show() -> None:
    """Show the alerts above the schedules."""
    st.title("Schedules", anchor=False)
    note = session.pop_notice()
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    _show_alerts()
    st.subheader("Scheduled suites", anchor=False)
    key = "schedules.page"
    page = session.api().schedules(PAGE_SIZE, pager.current_cursor(key, ()))
    if not page.items:
        st.info("There is no schedule yet. `promptuary eval schedule set` creates one.", icon=":material/inbox:")
        return
    for schedule in page.items:
        _show_schedule(schedule)
    first = (pager.page_number(key, ()) - 1) * PAGE_SIZE
    pager.show_page_buttons(key, (), f"Schedules {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_alerts() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Alerts", anchor=False)
        include_seen = st.toggle("Include alerts that somebody has seen", key="alerts.every", persist_state="page")
    key = "alerts.page"
    page = session.api().alerts(PAGE_SIZE, pager.current_cursor(key, include_seen), unseen=not include_seen)
    if not page.items:
        message = "There is no alert." if include_seen else "There is no open alert."
        st.success(f"{message} No scheduled run has dropped against its own history.", icon=":material/check:")
        return
    for alert in page.items:
        _show_alert(alert)
    first = (pager.page_number(key, include_seen) - 1) * PAGE_SIZE
    pager.show_page_buttons(key, include_seen, f"Alerts {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_alert(alert: Alert) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap="xsmall"):
            st.markdown(f":red[:material/trending_down:] **{escape_markdown(alert.suite)}**: {escape_markdown(alert.sentence)}")
            facts = [
                format_time(alert.at),
                escape_markdown(alert.schedule),
                escape_markdown(alert.model),
                escape_markdown(alert.metric),
            ]
            if alert.seen_by:
                facts.append(f"seen by {escape_markdown(alert.seen_by.removeprefix('key:'))}")
            st.caption(" · ".join(facts))
        _show_run_link(alert.run)
        if alert.seen_by is None and session.has_scope("schedule:write"):
            st.button(
                "Seen",
                key=f"seen-{alert.id}",
                icon=":material/visibility:",
                on_click=call_for_button,
                args=(session.api().mark_alert_seen, alert.id),
            )


def _show_schedule(schedule: Schedule) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape_markdown(schedule.name)}**", width="content")
            st.caption(
                escape_markdown(f"runs {schedule.suite}" + (f" at {schedule.label}" if schedule.label else "")), width="content"
            )
            if schedule.paused:
                st.badge("paused", icon=":material/pause:", color="gray")
            st.space("stretch")
            _show_buttons(schedule)
        st.caption(f"`{schedule.cron}` in {escape_markdown(schedule.zone)} · {_next_text(schedule)} · {_margin_text(schedule)}")
        if schedule.last is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption("Last run", width="content")
                _show_last_run(schedule.last)
                _show_run_link(schedule.last.id)
        if schedule.error:
            st.error(f"The last scheduled time started no run: {escape_markdown(schedule.error)}", icon=":material/error:")


def _show_buttons(schedule: Schedule) -> None:
    api, key = session.api(), schedule.name
    if not session.has_scope("schedule:write"):
        pass  # a pipeline neither pauses nor resumes
    elif schedule.paused:
        st.button(
            "Resume",
            key=f"resume-{key}",
            icon=":material/play_arrow:",
            on_click=call_for_button,
            args=(api.resume_schedule, key),
        )
    else:
        st.button(
            "Pause", key=f"pause-{key}", icon=":material/pause:", on_click=call_for_button, args=(api.pause_schedule, key)
        )
    if session.has_scope("run:write"):
        st.button("Run now", key=f"now-{key}", icon=":material/bolt:", on_click=call_for_button, args=(api.run_schedule, key))


def _next_text(schedule: Schedule) -> str:
    if schedule.paused:
        return "no next run while it is paused"
    times = schedule.next_times or ([schedule.next_at] if schedule.next_at else [])
    return "next " + ", ".join(format_time(time) for time in times) if times else "no next run"


def _margin_text(schedule: Schedule) -> str:
    if schedule.margin == 0:
        return "alerts on any significant drop"
    return f"tolerates a drop of {format_score(schedule.margin)}"


def _show_last_run(run: LastRun) -> None:
    colour, icon = VERDICT_STYLES.get(run.verdict or "") or STATE_STYLES.get(run.state, ("gray", ":material/help:"))
    st.badge(escape_markdown(run.verdict or run.state), color=colour, icon=icon)


def _show_run_link(run: str) -> None:
    page = session.app_page("runs")
    if page is None:
        st.caption(escape_markdown(run))
    else:
        st.page_link(page, label="Open the run", icon=":material/science:", query_params={RUN: run})
