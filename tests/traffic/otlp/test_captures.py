"""What real emitters sent is read as their programs did it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from factories.otlp_captures import Capture, capture, captures
from promptuary.traffic.calls.model_call import CallMessage, ModelCall, PromptMark, ReportedToolCall
from promptuary.traffic.intake.contents_join import join_contents
from promptuary.traffic.otlp.logs import read_logs
from promptuary.traffic.otlp.traces import read_traces


def _json_or_text(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _tool_call(call: ReportedToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _message(message: CallMessage) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        value["content"] = _json_or_text(message.content)
    if message.tool_calls:
        value["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    return value


def _mark(mark: PromptMark | None) -> dict[str, Any] | None:
    return None if mark is None else {"name": mark.name, "version": mark.version, "digest": mark.digest}


def _as_expected(call: ModelCall, like: dict[str, Any]) -> dict[str, Any]:
    """Return a call in the form of the expected ones; of the error's message, whether it contains the expected one."""
    contents = call.contents
    error = None
    if call.status == "error":
        part = (like["error"] or {}).get("message_contains", "")
        error = {"type": call.error_type, "message_contains": part if part in (contents.error_message or "") else None}
    return {
        "provider": call.provider,
        "model": call.model,
        "response_model": call.response_model,
        "input": None if contents.input is None else [_message(message) for message in contents.input],
        "output": contents.output,
        "tool_calls": [_tool_call(tool_call) for tool_call in contents.tool_calls],
        "finish": call.finish,
        "tokens": vars(call.tokens),
        "cost": call.cost,
        "status": call.status.value,
        "error": error,
        "prompt": _mark(call.prompt),
        "conversation": call.conversation,
        "user": call.user,
        "span_id": call.span_id,
        "trace_id": call.trace_id,
        "latency_ms": round(call.latency_ms or 0, 3),
        "response_id": call.response_id,
        "content_complete": contents.is_complete and contents.input is not None,
    }


def _with_logs(item: Capture) -> list[ModelCall]:
    calls = list(read_traces(item.body, item.is_json).calls)
    if item.logs is None:
        return calls
    logged = {(entry.trace_id, entry.span_id): entry.contents for entry in read_logs(item.logs, item.is_json).log_contents}
    return [
        replace(call, contents=join_contents(call.contents, logged[key])) if key in logged else call
        for call in calls
        for key in [(call.trace_id or "", call.span_id or "")]
    ]


@pytest.mark.parametrize("item", captures(), ids=lambda item: f"{item.name}-{'json' if item.is_json else 'protobuf'}")
def test_a_capture_is_read_as_its_program_called(item: Capture) -> None:
    calls = _with_logs(item)
    expected = [dict(call) for call in item.expected["calls"]]
    for call in expected:
        call.pop("prompt_after", None)
        call["latency_ms"] = round(call["latency_ms"], 3)
    assert [_as_expected(call, like) for call, like in zip(calls, expected, strict=False)] == expected
    assert {
        "calls": len(calls),
        "errors": sum(call.status == "error" for call in calls),
        "input_tokens": sum(call.tokens.input or 0 for call in calls),
        "output_tokens": sum(call.tokens.output or 0 for call in calls),
    } == item.expected["totals"]


@pytest.mark.parametrize("item", captures(), ids=lambda item: f"{item.name}-{'json' if item.is_json else 'protobuf'}")
def test_what_looks_like_a_call_and_is_none_is_a_link(item: Capture) -> None:
    reading = read_traces(item.body, item.is_json)
    not_calls = {span["span_id"] for span in item.expected.get("not_calls", ())}
    assert {link.span_id for link in reading.links} == not_calls
    assert (reading.rejected, reading.message) == (0, "")


@pytest.mark.parametrize("name", sorted({item.name for item in captures() if not item.is_json}))
def test_both_encodings_of_a_request_read_the_same(name: str) -> None:
    protobuf, in_json = capture(name), capture(name, is_json=True)
    assert read_traces(protobuf.body, is_json=False) == read_traces(in_json.body, is_json=True)
    if protobuf.logs is not None and in_json.logs is not None:
        assert read_logs(protobuf.logs, is_json=False) == read_logs(in_json.logs, is_json=True)


def test_a_parent_of_a_later_request_has_the_prompt_of_an_earlier_call() -> None:
    (call,) = read_traces(capture("promptuary-late-1").body, is_json=False).calls
    (link,) = read_traces(capture("promptuary-late-2").body, is_json=False).links
    (expected,) = capture("promptuary-late-1").expected["calls"]
    assert (call.prompt, call.parent_span_id, call.trace_id) == (None, link.span_id, link.trace_id)
    assert _mark(link.prompt) == expected["prompt_after"]["prompt"]


def test_an_evaluation_event_names_the_response_that_it_judges() -> None:
    item = capture("genai-openai-evaluation")
    assert item.logs is not None
    (evaluation,) = read_logs(item.logs, is_json=False).evaluations
    (call,) = read_traces(item.body, is_json=False).calls
    assert (evaluation.name, evaluation.value, evaluation.label) == ("one_word", 1.0, "pass")
    assert evaluation.explanation == "The answer is one word of the list."
    assert (evaluation.response_id, evaluation.trace_id) == (call.response_id, call.trace_id)
