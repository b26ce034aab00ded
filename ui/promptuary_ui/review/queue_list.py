"""The queues as cards: what is in each, how far it is, how fast it moves, and who reviews."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.review import Queue

COLUMNS = 3
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def show(queues: Sequence[Queue], on_open: Callable[[str], None]) -> None:
    """Show the queues, those with items for the caller first.

    Args:
        queues: the queues.
        on_open: called with a queue's name when the reviewer starts it.
    """
    ordered = sorted(
        queues, key=lambda queue: (queue.counts.left == 0, queue.due_at or datetime.max.replace(tzinfo=UTC), queue.name)
    )
    for start in range(0, len(ordered), COLUMNS):
        for column, queue in zip(st.columns(COLUMNS), ordered[start : start + COLUMNS], strict=False):
            with column, st.container(border=True, height="stretch"):
                _show_card(queue, on_open)


def _show_card(queue: Queue, on_open: Callable[[str], None]) -> None:
    counts = queue.counts
    st.markdown(f"**{escape_markdown(queue.name)}**")
    st.progress(counts.decided / counts.items if counts.items else 0.0)
    progress = (
        f"{counts.mine} decided by you · {counts.left} left for you · {counts.decided} of {counts.items} complete · "
        f"{counts.claimed} in review now"
    )
    st.caption("  \n".join(escape_markdown(line) for line in [progress, *describe(queue, datetime.now(UTC))]))
    st.button(
        _action(queue),
        key=f"open-{queue.name}",
        on_click=on_open,
        args=(queue.name,),
        disabled=not (queue.may_decide and (counts.left or counts.mine)),
        width="stretch",
    )
    agreement = session.app_page("agreement")
    if agreement is not None and session.has_scope("review:manage"):
        st.page_link(agreement, label="Agreement", icon=":material/balance:", query_params={"queue": queue.name})


def _action(queue: Queue) -> str:
    """Return what the button of a queue does: a finished one opens for its history, and to undo a decision."""
    counts = queue.counts
    return ("Continue" if counts.mine else "Start") if counts.left or not counts.mine else "Your decisions"


def describe(queue: Queue, now: datetime) -> list[str]:
    """Return what is known of a queue beside its counts: run and prompt, age and due date, pace, and who reviews."""
    source = queue.source or {}
    origin = [f"{name} {source[name]}" for name in ("prompt", "suite", "run", "dataset") if isinstance(source.get(name), str)]
    times = [f"opened {format_span(now - queue.created_at)} ago"] if queue.created_at else []
    if queue.due_at:
        remaining = queue.due_at - now
        times.append(f"due in {format_span(remaining)}" if remaining > timedelta(0) else f"due {format_span(-remaining)} ago")
    who = ", ".join(queue.reviewers or ()) or "everyone who may review"
    lines = [" · ".join(origin), " · ".join(times), _describe_pace(queue), f"Reviewers: {who}"]
    return [line for line in lines if line]


def _describe_pace(queue: Queue) -> str:
    """Return how many decisions came in the last hour and day; an empty text where the API does not report it."""
    if queue.pace is None:
        return ""
    pace = queue.pace
    if not pace.day:
        return "no decision in the last day"
    people = f"{pace.reviewers} {'person' if pace.reviewers == 1 else 'people'}"
    return f"{pace.hour} decisions in the last hour, {pace.day} in the last day by {people}"


def format_span(span: timedelta) -> str:
    """Format a span of time by its largest unit, such as `3 days`."""
    seconds = int(span.total_seconds())
    for unit, name in _UNITS:
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"
