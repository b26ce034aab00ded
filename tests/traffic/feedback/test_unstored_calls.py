"""Feedback on calls of which nothing is stored: what it is counted as."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from factories.clock import ManualClock
from factories.feedback import add_call, feedback_counts
from promptuary.traffic.feedback.feedback import hour_of
from promptuary.traffic.feedback.recording import FeedbackRecording, join_feedback
from promptuary.traffic.redaction.text import redact_text
from promptuary.traffic.tables import HourRow, ObservationRow, SeriesRow

pytestmark = pytest.mark.usefixtures("database")
Send = Callable[..., Any]


def series(database: Any) -> set[tuple[int, str, str]]:
    with database.read() as session:
        return {(row.version, row.label, row.variant) for row in session.exec(select(SeriesRow))}


def forget(database: Any) -> None:
    """Delete the calls, as the end of the wait does outside of the sample."""
    with database.write() as session:
        for row in session.exec(select(ObservationRow)):
            session.delete(row)


def test_feedback_is_counted_by_the_label_and_variant_that_it_states(
    opened_database: Any, send: Send, prompt: str, local: Any, clock: ManualClock
) -> None:
    clock.move(minutes=10)
    send(id="a", value=0, observation="gone", prompt_label="production", prompt_variant="b")
    send(id="b", value=1, prompt_label="production")
    send(id="c", value=1)
    assert series(opened_database) == {(1, "production", "b"), (1, "production", ""), (1, "", "")}
    traffic = local.get(f"/v1/prompts/{prompt}/traffic", params={"by": "version,label,variant,hour"}).json()
    figures = {(item["label"], item["variant"]): (item["feedback"]["value"], item["low_feedback"]) for item in traffic["items"]}
    assert figures == {("production", "b"): (0.0, 1), ("production", None): (1.0, 0), (None, None): (1.0, 0)}
    assert traffic["total"]["low_feedback_share"]["value"] == pytest.approx(1 / 3)
    assert traffic["total"]["low_feedback_share"]["count"] == 3
    assert traffic["total"]["calls"] == 0


def test_a_correction_after_the_call_has_left_stays_in_its_place(
    opened_database: Any, send: Send, prompt: str, clock: ManualClock
) -> None:
    hour = hour_of(clock())
    with opened_database.write() as session:
        add_call(session, clock())
    send(id="a", value=1, observation="key-1")
    forget(opened_database)
    clock.move(hours=3)
    send(id="a", value=0, observation="key-1")
    assert feedback_counts(opened_database) == {(1, "m", hour): (1, 0.0, 1)}
    clock.move(hours=3)
    send(id="a", value=0.75, observation="key-1")
    assert feedback_counts(opened_database) == {(1, "m", hour): (1, 0.75, 0)}


def test_a_correction_that_names_another_call_is_counted_by_it(
    opened_database: Any, send: Send, prompt: str, clock: ManualClock
) -> None:
    hour = hour_of(clock())
    with opened_database.write() as session:
        add_call(session, clock())
    send(id="a", value=1, observation="key-1")
    forget(opened_database)
    clock.move(hours=3)
    send(id="a", value=0, observation="key-2")
    assert feedback_counts(opened_database) == {(1, "", hour + 3): (1, 0.0, 1)}


def test_feedback_keeps_its_label_when_a_call_of_another_version_comes(
    opened_database: Any, send: Send, clock: ManualClock
) -> None:
    send(id="a", value=1, observation="key-1", prompt_label="production")
    with opened_database.write() as session:
        join_feedback(FeedbackRecording(session, 1, clock(), 0.5, redact_text), [add_call(session, clock(), version=2)])
        counted = session.exec(select(SeriesRow.label, HourRow.feedback).where(SeriesRow.id == HourRow.series_id)).all()
    assert counted == [("production", 1)]
