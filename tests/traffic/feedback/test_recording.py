"""Feedback and the calls that come after it, and evaluation events."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from factories.clock import ManualClock
from factories.feedback import add_call
from promptuary.traffic.calls.model_call import Evaluation
from promptuary.traffic.feedback.evaluations import record_evaluations
from promptuary.traffic.feedback.feedback import hour_of
from promptuary.traffic.feedback.recording import (
    WITHHELD,
    FeedbackRecording,
    join_feedback,
    move_feedback,
    settle_feedback,
)
from promptuary.traffic.redaction.text import redact_text
from promptuary.traffic.tables import ObservationRow

TRACE, SPAN, OUTER = "a" * 32, "b" * 16, "c" * 16
Send = Callable[..., Any]


@pytest.fixture
def recording(clock: ManualClock) -> Callable[[Any], FeedbackRecording]:
    """What recording needs: `recording(session)`."""
    return lambda session: FeedbackRecording(session, 1, clock(), 0.5, redact_text)


def _evaluation(at: datetime, **fields: Any) -> Evaluation:
    values: dict[str, Any] = {"name": "tone", "value": 0.0, "label": "fail", "explanation": "rude"}
    values |= {"response_id": None, "trace_id": None, "span_id": None, "at": at}
    return Evaluation(**{**values, **fields})


@pytest.mark.parametrize(
    "names", [{"observation": "key-1"}, {"observation": "chatcmpl-1"}, {"trace_id": TRACE, "span_id": SPAN}]
)
def test_feedback_joins_a_call_that_comes_later(
    database: Any, send: Send, counts: Any, clock: ManualClock, recording: Any, names: dict[str, str]
) -> None:
    hour = hour_of(clock())
    clock.move(hours=1)
    send(id="a", value=0, **names)
    assert counts() == {(1, "", hour + 1): (1, 0.0, 1)}
    with database.write() as session:
        call = add_call(session, clock() - timedelta(hours=1), response_id="chatcmpl-1", trace_id=TRACE, span_id=SPAN)
        join_feedback(recording(session), [call])
        join_feedback(recording(session), [call])  # once more changes nothing
    assert counts() == {(1, "m", hour): (1, 0.0, 1)}


def test_late_feedback_follows_its_call_to_another_series(
    database: Any, send: Send, counts: Any, clock: ManualClock, recording: Any
) -> None:
    with database.write() as session:
        add_call(session, clock(), prompt_id=None, trace_id=TRACE)
    send(observation="obs-1")
    assert counts() == {(1, "", hour_of(clock())): (1, 1.0, 0)}
    with database.write() as session:
        series = add_call(session, clock(), observation_id="obs-2").series_id
        row = session.get_one(ObservationRow, "obs-1")
        row.prompt_id, row.version, row.series_id = 1, 1, series
        session.flush()
        move_feedback(recording(session), ["obs-1"])
    assert counts() == {(1, "m", hour_of(clock())): (1, 1.0, 0)}


def test_feedback_on_another_version_stays_without_the_call(
    sqlite: Any, send: Send, counts: Any, clock: ManualClock, recording: Any
) -> None:
    send(observation="key-1")
    with sqlite.write() as session:
        join_feedback(recording(session), [add_call(session, clock(), version=2)])
    assert counts() == {(1, "", hour_of(clock())): (1, 1.0, 0)}


def test_an_evaluation_counts_with_the_call_of_its_response(
    database: Any, prompt: str, counts: Any, clock: ManualClock, recording: Any
) -> None:
    hour = hour_of(clock())
    event = _evaluation(clock(), response_id="chatcmpl-1", trace_id=TRACE, span_id=OUTER)
    with database.write() as session:
        add_call(session, clock(), response_id="chatcmpl-1")
        record_evaluations(recording(session), [event, event])
        record_evaluations(recording(session), [event])
    assert counts() == {(1, "m", hour): (1, 0.0, 1)}


def test_an_evaluation_waits_for_its_call(database: Any, prompt: str, counts: Any, clock: ManualClock, recording: Any) -> None:
    event = _evaluation(clock(), trace_id=TRACE, span_id=SPAN, value=1.0)
    with database.write() as session:
        record_evaluations(recording(session), [event])
    assert counts() == {}
    with database.write() as session:
        join_feedback(recording(session), [add_call(session, clock(), version=2, trace_id=TRACE, span_id=SPAN)])
    assert counts() == {(2, "m", hour_of(clock())): (1, 1.0, 0)}


def test_an_evaluation_of_the_span_around_joins_the_last_call_in_the_end(
    database: Any, prompt: str, api: Any, bearer: Any, counts: Any, clock: ManualClock, recording: Any
) -> None:
    outer = {"trace_id": TRACE, "parent_span_id": OUTER}
    with database.write() as session:
        record_evaluations(recording(session), [_evaluation(clock(), trace_id=TRACE, span_id=OUTER)])
        first = add_call(session, clock(), observation_id="obs-1", **outer)
        join_feedback(recording(session), [first])
        last = add_call(session, clock() + timedelta(seconds=5), observation_id="obs-2", **outer)
        join_feedback(recording(session), [last])
    assert counts() == {}
    with database.write() as session:
        settle_feedback(recording(session), [first.observation_id])
    (item,) = api.get("/v1/feedback", headers=bearer("editor")).json()["items"]
    assert (item["observation"], item["version"], item["source"]) == ("obs-2", 1, "evaluation")


def test_calls_of_different_versions_share_no_evaluation(
    sqlite: Any, prompt: str, counts: Any, clock: ManualClock, recording: Any
) -> None:
    outer = {"trace_id": TRACE, "parent_span_id": OUTER}
    with sqlite.write() as session:
        record_evaluations(recording(session), [_evaluation(clock(), trace_id=TRACE, span_id=OUTER)])
        calls = [add_call(session, clock(), number, observation_id=f"obs-{number}", **outer) for number in (1, 2)]
        settle_feedback(recording(session), [call.observation_id for call in calls])
    assert counts() == {}


@pytest.mark.parametrize("value", [None, 4.5, -1.0, float("nan")])
def test_an_evaluation_without_a_score_from_0_to_1_is_not_counted(
    sqlite: Any, prompt: str, api: Any, bearer: Any, counts: Any, clock: ManualClock, recording: Any, value: Any
) -> None:
    with sqlite.write() as session:
        add_call(session, clock(), response_id="r")
        record_evaluations(recording(session), [_evaluation(clock(), response_id="r", value=value)])
        record_evaluations(recording(session), [_evaluation(clock())])  # it names no call
    (item,) = api.get("/v1/feedback", headers=bearer("editor")).json()["items"]
    assert (item["value"], item["label"], item["comment"]) == (None, "fail", "rude")
    assert counts() == {}


SECRETIVE = {"type": "text", "template": "Write to {{name}}", "variables": {"name": {"type": "string", "sensitive": True}}}


def test_texts_on_a_prompt_with_sensitive_variables_are_withheld(
    local: Any, database: Any, prompt: str, clock: ManualClock, recording: Any
) -> None:
    version = local.post(f"/v1/prompts/{prompt}/versions", json=SECRETIVE).json()["version"]
    body = {"prompt": prompt, "version": version, "value": 0, "comment": "Ann called", "correction": "Dear Ann"}
    sent = local.post("/v1/feedback", json=body).json()
    assert (sent["comment"], sent["correction"], sent["redacted"]) == (WITHHELD, WITHHELD, 2)
    event = _evaluation(clock(), response_id="chatcmpl-1", explanation="Ann is angry")
    with database.write() as session:
        record_evaluations(recording(session), [event])
        join_feedback(recording(session), [add_call(session, clock(), version=version, response_id="chatcmpl-1")])
    answer = local.get("/v1/feedback").text
    assert "Ann" not in answer
    assert answer.count(WITHHELD) == 3
