"""The GenAI semantic conventions: OpenTelemetry's own instrumentations, openllmetry, pydantic-ai, logfire, and others."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import (
    CutJson,
    first_count,
    first_text,
    milliseconds,
    parse_json,
)
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.emitters.flat_messages import flat_messages
from promptuary.traffic.otlp.messages import read_answer, read_messages, read_system
from promptuary.traffic.otlp.wire.spans import ERROR_STATUS, TraceSpan

OPERATIONS = frozenset({"chat", "text_completion", "generate_content"})
DETAILS_EVENT = "gen_ai.client.inference.operation.details"
"""An event that has all messages of a call in its attributes."""
OLD_REQUEST_TYPES = frozenset({"chat", "completion"})
"""The values of `llm.request.type` of openllmetry, before it followed the conventions."""
EMITTERS = (
    ("pydantic-ai", "pydantic-ai"),
    ("logfire", "logfire"),
    ("opentelemetry.instrumentation.openai.v1", "openllmetry"),
    ("opentelemetry.instrumentation.openai.v0", "openllmetry"),
    ("traceloop", "openllmetry"),
    ("mlflow", "mlflow"),
)
"""The beginning of an instrumentation's name, and what the emitter is called."""
ANSWER_ATTRIBUTES = (
    "gen_ai.output.messages",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
)


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where it does not follow the conventions."""
    operation = span.attributes.get("gen_ai.operation.name")
    if operation is None:
        request_type = span.attributes.get("llm.request.type")
        return None if request_type is None else str(request_type) in OLD_REQUEST_TYPES
    return str(operation) in OPERATIONS and not _opens_a_stream(span)


def _opens_a_stream(span: TraceSpan) -> bool:
    """Return whether a span of logfire is none of a call yet: one that has only begun, or that ends when its stream opens.

    The call of a stream is the zero-length span at its end.
    """
    span_type = span.attributes.get("logfire.span_type")
    if span_type == "pending_span":
        return True
    return (
        span_type == "span"
        and span.scope.startswith("logfire")
        and span.status != ERROR_STATUS
        and not any(name in span.attributes for name in ANSWER_ATTRIBUTES)
    )


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    facts = CallFacts(
        emitter=next((name for prefix, name in EMITTERS if span.scope.startswith(prefix)), "genai"),
        operation=first_text(attributes, "gen_ai.operation.name", "llm.request.type"),
        provider=first_text(attributes, "gen_ai.provider.name", "gen_ai.system"),
        model=first_text(attributes, "gen_ai.request.model"),
        response_model=first_text(attributes, "gen_ai.response.model"),
        response_id=first_text(attributes, "gen_ai.response.id"),
        tokens=read_tokens(attributes),
        finish=attributes.get("gen_ai.response.finish_reasons"),
        first_token_ms=milliseconds(
            attributes.get("gen_ai.response.time_to_first_chunk", attributes.get("gen_ai.client.operation.time_to_first_chunk"))
        ),
    )
    if span.scope.startswith("logfire") and attributes.get("logfire.span_type") == "log":
        facts.latency_ms = milliseconds(attributes.get("duration"))
    read_contents(attributes, facts)
    if facts.input is None and facts.output is None and not facts.is_cut:
        _read_events(span, facts)
    return facts


def _read_events(span: TraceSpan, facts: CallFacts) -> None:
    """Read messages that an emitter without log records puts into events of the span, in the new or in the oldest form."""
    for event in span.read_events():
        if event.name == DETAILS_EVENT:
            read_contents(event.attributes, facts)
        try:
            if event.name == "gen_ai.content.prompt":
                facts.input = read_messages(parse_json(event.attributes.get("gen_ai.prompt")))
            elif event.name == "gen_ai.content.completion":
                answer = read_answer(parse_json(event.attributes.get("gen_ai.completion")))
                facts.output, facts.tool_calls = answer.text, answer.tool_calls
        except CutJson:
            facts.is_cut = True


def read_tokens(attributes: Mapping[str, Any]) -> TokenCounts:
    """Read the token counts, also by the names that the conventions and openllmetry had before."""
    return TokenCounts(
        input=first_count(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        output=first_count(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        cached=first_count(attributes, "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
        reasoning=first_count(
            attributes,
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        ),
    )


def read_contents(attributes: Mapping[str, Any], facts: CallFacts) -> None:
    """Read the messages of a span or of an event, structured or as JSON, into the facts."""
    try:
        if "gen_ai.input.messages" in attributes:
            messages = read_messages(parse_json(attributes["gen_ai.input.messages"]))
            if messages is not None:
                facts.input = read_system(parse_json(attributes.get("gen_ai.system_instructions"))) + messages
    except CutJson:
        facts.is_cut = True
    try:
        if "gen_ai.output.messages" in attributes:
            answer = read_answer(parse_json(attributes["gen_ai.output.messages"]))
            facts.output, facts.tool_calls = answer.text, answer.tool_calls
            facts.finish = facts.finish or answer.finish
    except CutJson:
        facts.is_cut = True
    if "gen_ai.prompt.0.role" in attributes:  # openllmetry, before it followed the conventions
        facts.input = flat_messages(attributes, "gen_ai.prompt.", "") or None
        outputs = flat_messages(attributes, "gen_ai.completion.", "")
        if outputs:
            facts.output, facts.tool_calls = outputs[0].content, outputs[0].tool_calls
            facts.finish = facts.finish or attributes.get("gen_ai.completion.0.finish_reason")
