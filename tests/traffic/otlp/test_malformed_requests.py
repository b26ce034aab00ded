"""No bytes lead to anything but a reading or an error that names what is wrong."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories.otlp_captures import Capture, capture, captures
from factories.otlp_requests import chat, event, in_protobuf, logs, request, traces
from promptuary.core.errors import MalformedBody
from promptuary.traffic.calls.contents_codec import encode_contents
from promptuary.traffic.otlp.logs import read_logs
from promptuary.traffic.otlp.traces import read_traces

BODIES = [item for item in captures() if item.name.endswith(("-tools", "-prompt", "-turns", "-stream", "-error429"))]


def _read(item: Capture, body: bytes) -> None:
    for read in (read_traces, read_logs):
        try:
            reading = read(body, item.is_json)
        except MalformedBody:
            continue
        assert (reading.rejected > 0) == bool(reading.message)
        for call in reading.calls:
            encode_contents(call.contents)
            repr(call).encode()


@given(item=st.sampled_from(BODIES), data=st.data())
def test_a_truncated_request_is_refused_or_read(item: Capture, data: st.DataObject) -> None:
    _read(item, item.body[: data.draw(st.integers(0, len(item.body)))])


@given(item=st.sampled_from(BODIES), seed=st.integers(0, 2**32), times=st.integers(1, 40))
def test_a_request_with_changed_bytes_is_refused_or_read(item: Capture, seed: int, times: int) -> None:
    body, choice = bytearray(item.body), random.Random(seed)
    for _ in range(times):
        body[choice.randrange(len(body))] = choice.randrange(256)
    _read(item, bytes(body))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _replace_somewhere(value: Any, choice: random.Random, new: Any) -> Any:
    if isinstance(value, dict) and value and choice.random() < 0.9:
        key = choice.choice(list(value))
        return {**value, key: _replace_somewhere(value[key], choice, new)}
    if isinstance(value, list) and value and choice.random() < 0.9:
        index = choice.randrange(len(value))
        return [*value[:index], _replace_somewhere(value[index], choice, new), *value[index + 1 :]]
    return new


@given(item=st.sampled_from([item for item in BODIES if item.is_json]), seed=st.integers(0, 2**32), new=JSON_VALUES)
def test_a_request_with_a_value_of_another_type_is_refused_or_read(item: Capture, seed: int, new: Any) -> None:
    _read(item, json.dumps(_replace_somewhere(json.loads(item.body), random.Random(seed), new)).encode())


TEXTS = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "llm.invocation_parameters",
    "output.value",
    "input.value",
    "metadata",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "mlflow.chat.tokenUsage",
    "mlflow.linkedPrompts",
    "gen_ai.prompt",
    "gen_ai.completion",
    "langsmith.metadata.usage_metadata",
    "ai.prompt.messages",
    "ai.response.toolCalls",
    "llm.prompt_template.variables",
)


def _near_json(item: Capture, seed: int, new: Any) -> dict[str, Any]:
    """Return a request whose JSON inside of texts has another value somewhere."""
    message, choice = json.loads(item.body), random.Random(seed)
    spans = [span for group in message["resourceSpans"] for scope in group["scopeSpans"] for span in scope["spans"]]
    texts = [attribute for span in spans for attribute in span.get("attributes", ()) if attribute["key"] in TEXTS]
    for attribute in texts:
        text = attribute["value"].get("stringValue")
        if text is not None and text[:1] in "[{":
            attribute["value"]["stringValue"] = json.dumps(_replace_somewhere(json.loads(text), choice, new))
    return dict(message)


@given(item=st.sampled_from([item for item in captures() if item.is_json]), seed=st.integers(0, 2**32), new=JSON_VALUES)
def test_json_inside_of_texts_may_have_any_shape(item: Capture, seed: int, new: Any) -> None:
    reading = read_traces(json.dumps(_near_json(item, seed, new)).encode(), is_json=True)
    assert reading.rejected == 0
    for call in reading.calls:
        encode_contents(call.contents)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": 1}]}]}',
        b'{"resourceSpans": NaN}',
        b'{"resourceSpans": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"resourceSpans": ' + b"1" * 10_000 + b"}",
    ],
)
def test_json_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read_traces(body, is_json=True)


def test_bytes_that_are_no_protobuf_are_refused() -> None:
    with pytest.raises(MalformedBody, match="the body is no ExportTraceServiceRequest in protobuf"):
        read_traces(b"\xff\xff\xff", is_json=False)
    with pytest.raises(MalformedBody, match="the body is no ExportLogsServiceRequest in protobuf"):
        read_logs(b"\xff\xff\xff", is_json=False)


def test_a_text_that_is_not_utf8_spoils_its_own_span_alone() -> None:
    body = in_protobuf(request(chat({"user.id": "aaaa"}), chat({"user.id": "bbbb"}), scope="support"))
    reading = read_traces(body.replace(b"aaaa", b"a\xffaa"), is_json=False)
    assert [call.user for call in reading.calls] == ["bbbb"]
    assert reading.message == "1 spans were rejected: not readable as protobuf; its texts must be UTF-8 (1)"
    records = (capture("openai-v2-plain-legacy-events").logs or b"").replace(b"My parcel", b"My \xffarcel")
    assert read_logs(records, is_json=False).rejected == 1


def test_a_text_of_a_resource_that_is_not_utf8_is_refused() -> None:
    body = in_protobuf(request(chat(), service="support"))
    with pytest.raises(MalformedBody):
        read_traces(body.replace(b"support", b"supp\xffrt"), is_json=False)


def test_an_empty_request_is_read() -> None:
    assert read_traces(b"", is_json=False) == read_traces(b"{}", is_json=True)


def test_unknown_fields_are_ignored_and_enums_are_names_or_numbers() -> None:
    message = request(chat(status={"code": "STATUS_CODE_ERROR", "later": 1}, kind="SPAN_KIND_CLIENT", flags=1, later=[{}]))
    (call,) = read_traces(json.dumps({**message, "later": {}}).encode(), is_json=True).calls
    assert call.status == "error"


@pytest.mark.parametrize("number", [7, "7", 7.0])
def test_integers_are_numbers_or_texts(number: Any) -> None:
    span = chat({"gen_ai.usage.input_tokens": None})
    span["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": number}})
    assert read_traces(traces(span), is_json=True).calls[0].tokens.input == 7


@pytest.mark.parametrize("number", ["1_000", " 7", "+7", "\u0667", "", "1e3", True])
def test_texts_that_are_no_integers_leave_their_attribute_out(number: Any) -> None:
    span = chat({"gen_ai.usage.input_tokens": None})
    span["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": number}})
    assert read_traces(traces(span), is_json=True).calls[0].tokens.input is None


def test_ids_may_have_upper_case() -> None:
    (call,) = read_traces(traces(chat(traceId="ABCDEF" + "0" * 26, spanId="ABCDEF0123456789")), is_json=True).calls
    assert (call.trace_id, call.span_id) == ("abcdef" + "0" * 26, "abcdef0123456789")


def test_a_value_nested_too_deep_leaves_its_attribute_out() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    span = chat()
    span["attributes"].append({"key": "gen_ai.input.messages", "value": value})
    (call,) = read_traces(traces(span), is_json=True).calls
    assert (call.tokens.input, call.contents.is_complete) == (7, False)


def test_json_nested_too_deep_inside_of_a_text_is_not_read() -> None:
    deep = '[{"role": "user", "parts": ' + "[" * 500 + "]" * 500 + "}]"
    (call,) = read_traces(traces(chat({"gen_ai.input.messages": deep})), is_json=True).calls
    assert (call.contents.input, call.contents.is_complete) == (None, False)


def test_more_messages_than_are_read_leave_the_call_without_contents() -> None:
    many = "[" + ",".join(["{}"] * 10_001) + "]"
    parts = json.dumps([{"role": "user", "parts": [{}] * 10_001}])
    large = json.dumps([{"role": "user", "content": "x" * 4_000_000}])
    for text in (many, parts, large):
        (call,) = read_traces(traces(chat({"gen_ai.input.messages": text})), is_json=True).calls
        assert (call.contents.input, call.contents.is_complete, call.tokens.input) == (None, False, 7)
    assert read_logs(logs(event("gen_ai.user.message", {"content": [1] * 10_001})), is_json=True).rejected == 1


def test_a_message_of_an_event_may_have_any_body() -> None:
    for body in (None, 1, "x", [1], {"content": [1]}, {"message": 1}, {"message": {"tool_calls": [1]}, "index": "a"}):
        for name in ("gen_ai.user.message", "gen_ai.choice", "gen_ai.tool.message"):
            assert read_logs(logs(event(name, body)), is_json=True).rejected == 0


def test_captures_with_log_records_are_read_truncated() -> None:
    body = capture("openai-v2-tools-legacy-events").logs or b""
    for length in range(0, len(body), 7):
        try:
            read_logs(body[:length], is_json=False)
        except MalformedBody:
            continue
