"""Messages and evaluations that come as log records."""

import json
from typing import Any

import pytest

from factories.otlp_requests import TRACE, event, logs, span, traces
from promptuary.traffic.calls.model_call import CallContents, CallMessage
from promptuary.traffic.intake.contents_join import join_contents
from promptuary.traffic.otlp.logs import read_logs
from promptuary.traffic.otlp.traces import read_traces

SCORE: dict[str, Any] = {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.value": 0.5, "gen_ai.response.id": "r1"}


def test_messages_of_one_call_are_put_together() -> None:
    reading = read_logs(
        logs(
            event("gen_ai.system.message", {"content": "be short"}),
            event("", {"content": "hello"}, {"event.name": "gen_ai.user.message"}),
            event("gen_ai.choice", {"index": 1, "message": {"content": "other"}}),
            event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "hi"}}),
            event("device.app.lifecycle", {"content": "other"}),
        ),
        is_json=True,
    )
    (entry,) = reading.log_contents
    assert (entry.trace_id, entry.finish, entry.contents.output) == (TRACE, "stop", "hi")
    assert entry.contents.input == [CallMessage("system", "be short"), CallMessage("user", "hello")]


def test_messages_that_two_requests_have_are_joined_in_their_order() -> None:
    hello, hi = CallMessage("user", "hello"), CallMessage("assistant", "hi")
    half = join_contents(CallContents(variables={"a": 1}), CallContents(input=[hello]))
    whole = join_contents(half, CallContents(output="hi"))
    assert (whole.input, whole.output, whole.variables) == ([hello], "hi", {"a": 1})
    assert join_contents(half, CallContents(input=[hi])).input == [hello, hi]


def test_messages_that_a_span_and_its_records_have_are_not_doubled() -> None:
    hello, hi = CallMessage("user", "hello"), CallMessage("assistant", "hi")
    for first, second in (([hello, hi], [hello, hi]), ([hello], [hello, hi]), ([hello, hi], [hello])):
        assert join_contents(CallContents(input=first), CallContents(input=second)).input == [hello, hi]


def test_records_with_dropped_attributes_are_incomplete() -> None:
    body = logs(event("gen_ai.user.message", {"content": "hello"}, droppedAttributesCount=2))
    assert not read_logs(body, is_json=True).log_contents[0].contents.is_complete


def test_a_label_alone_is_an_evaluation_without_a_value() -> None:
    attributes = {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.label": "pass"}
    (evaluation,) = read_logs(logs(event("gen_ai.evaluation.result", None, attributes)), is_json=True).evaluations
    assert (evaluation.value, evaluation.label, evaluation.span_id) == (None, "pass", "00f067aa0ba902b7")


@pytest.mark.parametrize(
    "changes",
    [
        {"gen_ai.evaluation.score.value": 4.5},
        {"gen_ai.evaluation.score.value": -0.1},
        {"gen_ai.evaluation.score.value": "good"},
        {"gen_ai.evaluation.score.value": None},
        {"gen_ai.evaluation.name": ""},
    ],
)
def test_an_evaluation_that_is_no_feedback_is_rejected_with_its_reason(changes: dict[str, Any]) -> None:
    reading = read_logs(logs(event("gen_ai.evaluation.result", None, {**SCORE, **changes})), is_json=True)
    assert (reading.rejected, list(reading.evaluations)) == (1, [])
    assert "an evaluation" in reading.message


def test_an_evaluation_needs_a_span_or_a_response() -> None:
    fields = {"traceId": "", "spanId": ""}
    assert read_logs(logs(event("gen_ai.evaluation.result", None, SCORE, **fields)), is_json=True).rejected == 0
    alone = {**SCORE, "gen_ai.response.id": ""}
    assert read_logs(logs(event("gen_ai.evaluation.result", None, alone, **fields)), is_json=True).rejected == 1


def test_an_evaluation_may_be_an_event_of_a_span() -> None:
    item = json.loads(logs(event("", None, SCORE)))["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    events = [{"name": "gen_ai.evaluation.result", "timeUnixNano": item["timeUnixNano"], "attributes": item["attributes"]}]
    evaluated = span(events=events)
    (evaluation,) = read_traces(traces(evaluated), is_json=True).evaluations
    assert (evaluation.value, evaluation.response_id, evaluation.span_id) == (0.5, "r1", evaluated["spanId"])
