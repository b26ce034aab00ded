"""Feedback beside the intake: before its call, after it, within the wait and behind it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories.feedback import feedback_counts
from factories.reported_calls import AT, TRACE, TRIAGE, call, calls, link, links, span
from promptuary.core.database import Database
from promptuary.traffic.calls.model_call import Evaluation, TrafficReading
from promptuary.traffic.feedback.feedback import hour_of
from promptuary.traffic.feedback.service import FeedbackService, NewFeedback
from promptuary.traffic.intake.settling.settling import SampleSettling
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
Send = Callable[..., None]


@pytest.fixture
def send(unit_as: Callable[..., Any]) -> Send:
    """Send feedback on version 1: `send(0, "an id")`."""

    def add(value: float, observation: str | None = None, **fields: Any) -> None:
        with unit_as("service") as unit:
            new = NewFeedback(prompt="support.triage", version=1, digest=None, value=value, observation=observation)
            FeedbackService(unit).add(replace(new, **fields))

    return add


def settle(traffic: Traffic, clock: Any) -> list[tuple[str, bool]]:
    clock.move(minutes=11)
    while SampleSettling(traffic.database, clock, traffic.intake.settings).step():
        pass
    return [(row.stratum, row.is_settled) for row in traffic.rows()]


def evaluation(**fields: Any) -> TrafficReading:
    values: dict[str, Any] = {"name": "tone", "value": 0.25, "label": None, "explanation": None, "at": AT}
    values |= {"response_id": None, "trace_id": None, "span_id": None}
    return TrafficReading(evaluations=[Evaluation(**values | fields)])


def test_feedback_before_its_call_counts_with_the_call(
    traffic: Traffic, opened_database: Database, send: Send, clock: Any
) -> None:
    clock.move(hours=3)
    send(0, "resp-1")
    traffic.take(calls(call(1, response_id="resp-1")))
    traffic.take(calls(call(1, response_id="resp-1")))
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.0, 1)}


def test_feedback_finds_a_call_whose_id_is_personal_data(
    traffic: Traffic, opened_database: Database, send: Send, clock: Any
) -> None:
    clock.move(hours=3)
    send(0, "ada@example.org")
    traffic.take(calls(call(1, response_id="ada@example.org")))
    traffic.take(calls(call(2, response_id="ada@example.org")))
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.0, 1)}
    assert [row.response_id.startswith("hashed-") for row in traffic.rows()] == [True]


def test_low_feedback_within_the_wait_makes_the_stratum(traffic_of: Any, send: Send, clock: Any) -> None:
    traffic = traffic_of(traffic_sample=0.1)
    traffic.take(calls(call(1, response_id="low"), call(2, response_id="high"), call(3, response_id="corrected")))
    clock.move(minutes=5)
    send(0.2, "low")
    send(0.9, "high")
    send(0.0, "corrected", id="a")
    send(1.0, "corrected", id="a")
    assert settle(traffic, clock) == [("low_feedback", True), ("random", True), ("random", True)]


def test_low_feedback_after_the_wait_counts_and_changes_no_stratum(
    traffic: Traffic, opened_database: Database, send: Send, clock: Any
) -> None:
    traffic.take(calls(call(1, response_id="late")))
    assert settle(traffic, clock) == [("random", True)]
    clock.move(hours=5)
    send(0, "late")
    assert settle(traffic, clock) == [("random", True)]
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.0, 1)}


def test_feedback_follows_a_call_whose_parent_comes_later(
    traffic: Traffic, opened_database: Database, send: Send, clock: Any
) -> None:
    clock.move(hours=2)
    traffic.take(calls(call(2, None, under=1, response_id="r")))
    send(1, "r")
    assert feedback_counts(opened_database) == {(1, "", hour_of(clock())): (1, 1.0, 0)}
    traffic.take(links(link(1, prompt=TRIAGE)))
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 1.0, 0)}


@pytest.mark.parametrize("order", ["call first", "event first"])
def test_an_evaluation_event_is_feedback_on_its_call(
    traffic: Traffic, opened_database: Database, clock: Any, order: str
) -> None:
    readings = [calls(call(1, response_id="r")), evaluation(response_id="r", trace_id=TRACE, span_id=span(9))]
    for reading in readings if order == "call first" else reversed(readings):
        traffic.take(reading)
    traffic.take(readings[1])  # the exporter's retry
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.25, 1)}
    assert settle(traffic, clock) == [("low_feedback", True)]


def test_an_evaluation_of_the_span_around_is_joined_before_the_stratum_is_chosen(
    traffic: Traffic, opened_database: Database, clock: Any
) -> None:
    traffic.take(evaluation(trace_id=TRACE, span_id=span(1)))
    traffic.take(calls(call(2, under=1), call(3, under=1, at=AT + timedelta(seconds=5))))
    assert feedback_counts(opened_database) == {}
    assert settle(traffic, clock) == [("random", True), ("low_feedback", True)]
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.25, 1)}


@pytest.mark.parametrize("order", ["elc", "cle", "lec", "cel"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_evaluation_of_a_span_far_above_joins_its_only_version(
    traffic: Traffic, opened_database: Database, clock: Any, order: str, depth: int
) -> None:
    requests = {
        "e": evaluation(trace_id=TRACE, span_id=span(depth)),
        "l": links(link(1), link(2, 1), link(3, 2)),
        "c": calls(call(5, under=3), call(6, under=3, at=AT + timedelta(seconds=1))),
    }
    for request in order:
        traffic.take(requests[request])
    assert feedback_counts(opened_database) == {}
    settle(traffic, clock)
    assert feedback_counts(opened_database) == {(1, "small", hour_of(AT)): (1, 0.25, 1)}


def test_an_evaluation_above_calls_of_two_versions_counts_for_none(
    traffic: Traffic, opened_database: Database, clock: Any
) -> None:
    traffic.take(links(link(1), link(2, 1), link(3, 1)))
    traffic.take(calls(call(5, under=2), call(6, replace(TRIAGE, version="2"), under=3)))
    traffic.take(evaluation(trace_id=TRACE, span_id=span(1)))
    traffic.take(evaluation(trace_id=TRACE, span_id=span(3), name="length"))
    settle(traffic, clock)
    assert feedback_counts(opened_database) == {(2, "small", hour_of(AT)): (1, 0.25, 1)}
