"""Model calls that are read out of spans."""

import json
from typing import Any

import pytest

from factories.otlp_captures import capture, files
from factories.otlp_requests import START, TRACE, attributes, chat, in_protobuf, request, span, traces
from promptuary.traffic.calls.model_call import Attribution, CallMessage, CallStatus, ModelCall, PromptMark, TokenCounts
from promptuary.traffic.otlp.traces import read_traces
from promptuary.traffic.otlp.wire.spans import ReadingLimits

LANGFUSE, LANGSMITH = "langfuse.observation", "langsmith.metadata.promptuary"
OUTER, INNER = "00000000000000aa", "00000000000000bb"


def _call(*spans: dict[str, Any], scope: str = "app") -> ModelCall:
    (call,) = read_traces(traces(*spans, scope=scope), is_json=True).calls
    return call


def _input(*contents: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": content}]} for content in contents])


def _output(content: str) -> str:
    return json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": content}]}])


def test_a_call_takes_the_prompt_of_the_nearest_span_around_it() -> None:
    call = _call(
        chat(parentSpanId=INNER),
        span({"gen_ai.prompt.name": "near", "gen_ai.prompt.version": "2"}, spanId=INNER, parentSpanId=OUTER),
        span({"gen_ai.prompt.name": "far", "gen_ai.prompt.version": "1"}, spanId=OUTER),
    )
    assert (call.prompt, call.attribution) == (PromptMark("near", "2"), Attribution.ANCESTOR)


def test_a_prompt_does_not_leak_to_siblings_or_to_other_traces() -> None:
    calls = read_traces(
        traces(
            span(spanId=OUTER),
            span({"gen_ai.prompt.name": "sibling"}, spanId=INNER, parentSpanId=OUTER),
            chat(parentSpanId=OUTER),
            chat(parentSpanId=INNER, traceId="1" * 32),
        ),
        is_json=True,
    ).calls
    assert [call.prompt for call in calls] == [None, None]


def test_a_span_that_names_the_prompt_alone_gets_the_version_of_the_span_around_it() -> None:
    call = _call(
        chat({"gen_ai.prompt.name": "triage"}, parentSpanId=OUTER),
        span({"promptuary.name": "triage", "promptuary.version": 3, "promptuary.label": "production"}, spanId=OUTER),
    )
    assert (call.prompt, call.attribution) == (PromptMark("triage", "3", "production"), Attribution.SPAN)


def test_spans_that_are_each_others_parents_are_read() -> None:
    call = _call(chat(spanId=INNER, parentSpanId=OUTER), span(spanId=OUTER, parentSpanId=INNER))
    assert call.prompt is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.prompt.name": "triage", "gen_ai.prompt.version": "2"}, PromptMark("triage", "2")),
        ({"promptuary.name": "triage", "promptuary.version": 2}, PromptMark("triage", "2")),
        ({"promptuary.name": '"triage"', "promptuary.version": "2"}, PromptMark("triage", "2")),
        ({f"{LANGFUSE}.prompt.name": "triage", f"{LANGFUSE}.prompt.version": 2}, PromptMark("triage", "2")),
        (
            {
                "langfuse.observation.metadata.promptuary.name": '"triage"',
                "langfuse.observation.metadata.promptuary.version": "2",
            },
            PromptMark("triage", "2"),
        ),
        (
            {"langfuse.trace.metadata.promptuary.name": '"triage"', "langfuse.trace.metadata.promptuary.label": '"beta"'},
            PromptMark("triage", label="beta"),
        ),
        (
            {f"{LANGSMITH}.name": "triage", f"{LANGSMITH}.version": 2},
            PromptMark("triage", "2"),
        ),
        ({"ai.telemetry.metadata.promptuary.name": "triage"}, PromptMark("triage")),
        ({"traceloop.association.properties.promptuary.name": "triage"}, PromptMark("triage")),
        (
            {"traceloop.prompt.key": "triage", "traceloop.prompt.version": "2", "traceloop.prompt.version_name": "beta"},
            PromptMark("triage", "2", "beta"),
        ),
        ({"metadata": json.dumps({"promptuary.name": "triage", "promptuary.variant": "b"})}, PromptMark("triage", variant="b")),
        ({"mlflow.linkedPrompts": json.dumps(json.dumps([{"name": "triage", "version": "2"}]))}, PromptMark("triage", "2")),
        (
            {"mlflow.linkedPrompts": json.dumps(json.dumps([{"name": "a", "version": "2"}, {"name": "b", "version": "1"}]))},
            None,
        ),
        ({"llm.prompt_template.version": "2"}, None),
        ({"gen_ai.prompt.name": ""}, None),
        ({"gen_ai.prompt.name": 4.5}, None),
    ],
)
def test_a_prompt_is_named_in_the_way_of_each_family(attributes: dict[str, Any], expected: PromptMark | None) -> None:
    assert _call(chat(attributes)).prompt == expected


@pytest.mark.parametrize(
    ("attributes", "variables"),
    [
        ({"gen_ai.prompt.variable.ticket": "lost", "gen_ai.prompt.variable.n": 3}, {"ticket": "lost", "n": 3}),
        ({"llm.prompt_template.variables": '{"ticket": "lost"}'}, {"ticket": "lost"}),
        ({"traceloop.prompt.template_variables.ticket": "lost"}, {"ticket": "lost"}),
        ({"llm.prompt_template.variables": '{"ticket": "lo'}, None),
        ({}, None),
    ],
)
def test_variables_are_read_in_the_way_of_each_family(attributes: dict[str, Any], variables: dict[str, Any] | None) -> None:
    assert _call(chat(attributes)).contents.variables == variables


def test_variables_come_from_the_span_that_names_the_prompt() -> None:
    outer = {"gen_ai.prompt.name": "triage", "gen_ai.prompt.variable.ticket": "lost"}
    assert _call(chat(parentSpanId=OUTER), span(outer, spanId=OUTER)).contents.variables == {"ticket": "lost"}


def test_variables_of_the_span_around_a_call_belong_to_the_prompt_that_both_name() -> None:
    outer = span({"gen_ai.prompt.name": "triage", "gen_ai.prompt.variable.ticket": "lost"}, spanId=OUTER)
    own = {"gen_ai.prompt.name": "triage", "gen_ai.prompt.version": "2"}
    call = _call(chat(own, parentSpanId=OUTER), outer)
    assert (call.prompt, call.contents.variables) == (PromptMark("triage", "2"), {"ticket": "lost"})
    other = _call(chat({**own, "gen_ai.prompt.name": "other"}, parentSpanId=OUTER), outer)
    assert (other.prompt, other.contents.variables) == (PromptMark("other", "2"), None)


def test_a_chain_of_ten_thousand_calls_is_read_at_once() -> None:
    spans = [chat(spanId=f"{number + 1:016x}", parentSpanId=f"{number + 2:016x}") for number in range(9_999)]
    assert read_traces(traces(*spans), is_json=True).rejected == 0


def test_messages_that_are_events_of_the_span_are_read() -> None:
    def with_events(*events: tuple[str, dict[str, Any]]) -> ModelCall:
        listed = [{"name": name, "timeUnixNano": str(START), "attributes": attributes(values)} for name, values in events]
        return _call(chat(events=listed))

    messages = {"gen_ai.input.messages": _input("hello"), "gen_ai.output.messages": _output("hi")}
    oldest = json.dumps([{"role": "user", "content": "hello"}]), json.dumps([{"role": "assistant", "content": "hi"}])
    for call in (
        with_events(("gen_ai.client.inference.operation.details", messages)),
        with_events(
            ("gen_ai.content.prompt", {"gen_ai.prompt": oldest[0]}),
            ("gen_ai.content.completion", {"gen_ai.completion": oldest[1]}),
        ),
    ):
        assert (call.contents.input, call.contents.output) == ([CallMessage("user", "hello")], "hi")


def test_a_call_with_dropped_attributes_counts_and_loses_messages_and_variables() -> None:
    attributes = {
        "gen_ai.input.messages": _input("hello"),
        "gen_ai.output.messages": _output("hi"),
        "gen_ai.prompt.variable.a": "b",
    }
    call = _call(chat(attributes, droppedAttributesCount=1))
    assert (call.contents.input, call.contents.variables, call.contents.is_complete) == (None, None, False)
    assert call.tokens == TokenCounts(7, 3)


@pytest.mark.parametrize("name", ["gen_ai.input.messages", "gen_ai.output.messages"])
def test_cut_json_makes_contents_incomplete_and_keeps_the_counts(name: str) -> None:
    attributes = {"gen_ai.input.messages": _input("hello"), "gen_ai.output.messages": _output("hi")}
    call = _call(chat({**attributes, name: attributes[name][:40]}))
    assert not call.contents.is_complete
    assert call.tokens == TokenCounts(7, 3)


@pytest.mark.parametrize(
    ("attributes", "fields", "status"),
    [
        ({}, {}, CallStatus.OK),
        ({}, {"status": {"code": 1}}, CallStatus.OK),
        ({}, {"status": {"code": 2}}, CallStatus.ERROR),
        ({"gen_ai.response.finish_reasons": None}, {}, CallStatus.OK),
        ({"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}, {}, CallStatus.OK),
        (
            {
                "gen_ai.response.finish_reasons": None,
                "gen_ai.usage.input_tokens": None,
                "gen_ai.usage.output_tokens": None,
            },
            {"status": {"code": 1}},
            CallStatus.INCOMPLETE,
        ),
        (
            {
                "gen_ai.response.finish_reasons": [""],
                "gen_ai.usage.input_tokens": None,
                "gen_ai.usage.output_tokens": None,
            },
            {},
            CallStatus.INCOMPLETE,
        ),
    ],
)
def test_only_status_2_is_an_error_and_a_call_without_an_end_is_incomplete(
    attributes: dict[str, Any], fields: dict[str, Any], status: CallStatus
) -> None:
    assert _call(chat(attributes, **fields)).status is status


def test_unknown_token_counts_are_none_and_never_0() -> None:
    unknown = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    assert _call(chat(unknown)).tokens == TokenCounts()
    assert _call(chat({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": -1})).tokens == TokenCounts(input=0)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        (["stop", "length"], "stop"),
        ('["tool_call"]', "tool_calls"),
        (["tool-calls"], "tool_calls"),
        (["end_turn"], "stop"),
        (["MAX_TOKENS"], "length"),
        (["content_filter"], "content_filter"),
        (["error"], "error"),
        (["pause_turn"], "pause_turn"),
        ("", None),
    ],
)
def test_finish_reasons_are_normalised(reason: Any, finish: str | None) -> None:
    assert _call(chat({"gen_ai.response.finish_reasons": reason})).finish == finish


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": "embeddings"},
        {"gen_ai.operation.name": "UNKNOWN"},
        {"logfire.span_type": "pending_span"},
        {"openinference.span.kind": "CHAIN"},
        {"langfuse.observation.type": "span"},
        {"mlflow.spanType": '"AGENT"'},
        {"langsmith.span.kind": "prompt"},
        {"ai.operationId": "ai.generateText"},
        {"ai.operationId": "ai.embed.doEmbed"},
    ],
)
def test_the_kind_of_the_emitter_itself_decides_what_is_no_call(attributes: dict[str, Any]) -> None:
    reading = read_traces(traces(chat(attributes)), is_json=True)
    assert (len(reading.calls), len(reading.links)) == (0, 1)


def test_the_opener_of_a_stream_of_logfire_is_no_call() -> None:
    opener = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small",
        "gen_ai.input.messages": _input("hello"),
        "logfire.span_type": "span",
    }
    assert read_traces(traces(span(opener), scope="logfire.openai"), is_json=True).calls == []
    failed = span(opener, status={"code": 2})
    assert _call(failed, scope="logfire.openai").status is CallStatus.ERROR


def test_a_stream_of_logfire_began_its_duration_before_its_span() -> None:
    attributes = {"logfire.span_type": "log", "duration": 0.5}
    call = _call(chat(attributes, endTimeUnixNano=str(START)), scope="logfire.openai")
    assert (call.latency_ms, call.at.timestamp()) == (500.0, START / 1e9 - 0.5)


def test_a_duration_beyond_all_time_does_not_move_the_call() -> None:
    call = _call(chat({"logfire.span_type": "log", "duration": 1e15}), scope="logfire.openai")
    assert call.at.timestamp() == START / 1e9


def test_one_response_that_two_instrumentations_report_is_one_call() -> None:
    first = chat({"gen_ai.response.id": "r1", "gen_ai.usage.output_tokens": None}, traceId="1" * 32)
    second = chat({"gen_ai.response.id": "r1", "gen_ai.prompt.name": "triage"})
    call = _call(first, second)
    assert (call.prompt, call.tokens, call.trace_id) == (PromptMark("triage"), TokenCounts(7, 3), TRACE)


def test_a_span_that_a_request_has_twice_is_one_call() -> None:
    for response in (None, "r1"):
        twice = chat({"gen_ai.response.id": response})
        assert _call(twice, twice).span_id == twice["spanId"]


def test_a_call_inside_a_call_is_its_second_report() -> None:
    outer = span({"openinference.span.kind": "LLM", "metadata": '{"promptuary.name": "triage"}'}, spanId=OUTER)
    call = _call(chat({"gen_ai.response.id": "r1"}, parentSpanId=OUTER), outer)
    assert (call.span_id, call.response_id, call.status) == (OUTER, "r1", CallStatus.OK)
    assert (call.prompt, call.tokens) == (PromptMark("triage"), TokenCounts(7, 3))


def test_a_call_around_several_calls_is_their_sum() -> None:
    outer = chat({"gen_ai.usage.input_tokens": 14, "gen_ai.prompt.name": "triage"}, spanId=OUTER)
    reading = read_traces(
        traces(
            chat({"gen_ai.response.id": "r1"}, parentSpanId=OUTER),
            chat({"gen_ai.response.id": "r2"}, parentSpanId=OUTER),
            outer,
        ),
        is_json=True,
    )
    assert sum(call.tokens.input or 0 for call in reading.calls) == 14
    assert [call.prompt for call in reading.calls] == [PromptMark("triage")] * 2
    assert [link.span_id for link in reading.links] == [OUTER]


def test_a_span_that_cannot_be_read_is_rejected_and_the_others_are_not() -> None:
    reading = read_traces(
        traces(
            chat(),
            chat(traceId="0" * 32),
            chat(traceId="CvdlGRbNQ92ESOshHIAxnA=="),
            chat(spanId="1"),
            chat(startTimeUnixNano="0", endTimeUnixNano=0),
            chat(startTimeUnixNano="soon"),
        ),
        is_json=True,
    )
    assert (len(reading.calls), reading.rejected) == (1, 5)
    assert reading.message.startswith("5 spans were rejected: ")


def test_spans_beyond_the_limit_are_rejected() -> None:
    message = request(chat(), chat(), chat())
    limits = ReadingLimits(spans=2)
    in_json = read_traces(json.dumps(message).encode(), is_json=True, limits=limits)
    assert (len(in_json.calls), in_json.rejected) == (2, 1)
    assert in_json.message == "1 spans were rejected: beyond the limit of 2 spans a request; send smaller batches (1)"
    assert read_traces(in_protobuf(message), is_json=False, limits=limits) == in_json


def test_messages_beyond_the_limit_are_left_out_and_the_call_counts() -> None:
    body = traces(chat({"gen_ai.input.messages": _input("x" * 200), "gen_ai.output.messages": _output("hi")}))
    (call,) = read_traces(body, is_json=True, limits=ReadingLimits(contents=100)).calls
    assert (call.contents.input, call.contents.output, call.contents.is_complete) == (None, None, False)
    assert call.tokens == TokenCounts(7, 3)


def test_characters_that_no_database_stores_are_replaced() -> None:
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a\x00b\ud800"}]}])
    attributes = {"gen_ai.input.messages": messages, "gen_ai.request.model": "sm\x00all", "user.id": "\udfff"}
    call = _call(chat(attributes))
    assert call.contents.input == [CallMessage("user", "a\ufffdb\ufffd")]
    assert (call.model, call.user) == ("sm\ufffdall", "\ufffd")


def test_numbers_that_json_does_not_have_are_unknown() -> None:
    for number in (float("nan"), float("inf")):
        message = request(chat({"llm.cost.total": 0.0, "openinference.span.kind": "LLM"}))
        attributes = message["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
        next(item for item in attributes if item["key"] == "llm.cost.total")["value"] = {"doubleValue": str(number).title()}
        in_json = read_traces(json.dumps(message).encode(), is_json=True)
        assert in_json.calls[0].cost is None
    arguments = '[{"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"a": NaN, "b": 1e999}}]}]'
    (tool_call,) = _call(chat({"gen_ai.output.messages": arguments})).contents.tool_calls
    assert tool_call.arguments == {"a": None, "b": None}


def test_an_error_has_no_stack_trace_in_its_message() -> None:
    event = {
        "name": "exception",
        "timeUnixNano": str(START),
        "attributes": [
            {"key": "exception.message", "value": {"stringValue": "it broke\n\nTraceback (most recent call last)\n  /app/x.py"}}
        ],
    }
    call = _call(chat(status={"code": 2, "message": "at /app/x.py"}, events=[event]))
    assert call.contents.error_message == "it broke"


def test_contents_of_several_parts_and_images_are_lists_of_parts() -> None:
    parts = [{"type": "text", "content": "what is this"}, {"type": "uri", "uri": "https://example.com/a.png"}]
    messages = json.dumps([{"role": "user", "parts": parts}])
    call = _call(chat({"gen_ai.input.messages": messages}))
    assert call.contents.input == [CallMessage("user", [{"type": "text", "text": "what is this"}, parts[1]])]


def test_messages_are_read_structured_and_as_json() -> None:
    structured = {"gen_ai.input.messages": json.loads(_input("hello")), "gen_ai.output.messages": json.loads(_output("hi"))}
    as_json = {"gen_ai.input.messages": _input("hello"), "gen_ai.output.messages": _output("hi")}
    assert _call(chat(structured)).contents == _call(chat(as_json)).contents


def test_names_of_openllmetry_before_the_conventions_are_read() -> None:
    call = _call(
        span(
            {
                "llm.request.type": "chat",
                "gen_ai.system": "OpenAI",
                "gen_ai.usage.prompt_tokens": 7,
                "gen_ai.usage.completion_tokens": 3,
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "hello",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": "hi",
                "gen_ai.completion.0.finish_reason": "stop",
            }
        )
    )
    assert (call.tokens, call.finish, call.contents.output) == (TokenCounts(7, 3), "stop", "hi")
    assert call.contents.input == [CallMessage("user", "hello")]


def test_langfuse_counts_include_the_details_that_its_handler_subtracts() -> None:
    usage = {"input": 25, "output": 1, "total": 46, "input_cache_read": 16, "output_reasoning": 4}
    attributes = {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(usage)}
    assert _call(span(attributes)).tokens == TokenCounts(41, 5, 16, 4)


def test_every_reading_has_the_service_and_the_span_that_rules_look_at() -> None:
    call = _call(chat({"app.feature": "triage"}, name="answer"))
    assert (call.service, call.span_name, call.attributes["app.feature"]) == ("support", "answer", "triage")


def test_a_cut_capture_keeps_its_counts() -> None:
    message = json.loads(files()["genai-openai-plain.json"])
    for item in message["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]:
        if "stringValue" in item["value"]:
            item["value"]["stringValue"] = item["value"]["stringValue"][:100]
    (call,) = read_traces(json.dumps(message).encode(), is_json=True).calls
    assert (call.contents.input, call.contents.is_complete) == (None, False)
    assert call.tokens.input == capture("genai-openai-plain").expected["totals"]["input_tokens"]


@pytest.mark.parametrize("per_second", [1, 1000])
def test_a_time_in_other_units_than_nanoseconds_is_rejected_and_named(per_second: int) -> None:
    time = str(START // 10**9 * per_second)
    reading = read_traces(traces(chat(startTimeUnixNano=time, endTimeUnixNano=time), chat()), is_json=True)
    assert (len(reading.calls), reading.rejected) == (1, 1)
    assert "nanoseconds" in reading.message
