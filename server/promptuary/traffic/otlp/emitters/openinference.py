"""OpenInference: Phoenix's instrumentations, with names of their own."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import (
    CutJson,
    amount,
    first_count,
    first_text,
    milliseconds_since,
    parse_json,
    parse_object,
    short_text,
)
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.emitters.flat_messages import flat_messages
from promptuary.traffic.otlp.messages import ModelAnswer, read_answer, read_messages
from promptuary.traffic.otlp.wire.spans import TraceSpan

REDACTED = "__REDACTED__"
"""What OpenInference sends in place of a text that it is configured to hide."""


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where another family must decide."""
    kind = span.attributes.get("openinference.span.kind")
    return None if kind is None else str(kind).upper() == "LLM"


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    parameters = parse_object(attributes.get("llm.invocation_parameters"))
    facts = CallFacts(
        emitter="openinference",
        operation=first_text(attributes, "gen_ai.operation.name"),
        provider=first_text(attributes, "llm.provider", "llm.system"),
        model=first_text(parameters, "model", "model_name"),
        response_model=first_text(attributes, "llm.model_name"),
        tokens=TokenCounts(
            input=first_count(attributes, "llm.token_count.prompt"),
            output=first_count(attributes, "llm.token_count.completion"),
            cached=first_count(attributes, "llm.token_count.prompt_details.cache_read"),
            reasoning=first_count(attributes, "llm.token_count.completion_details.reasoning"),
        ),
        cost=amount(attributes.get("llm.cost.total")),
        finish=attributes.get("llm.finish_reason"),
    )
    for event in span.read_events():
        if event.name == "First Token Stream Event":
            facts.first_token_ms = milliseconds_since(span.start, event.time)
            break
    whole = _read_contents(attributes, facts)
    facts.response_id = whole.response_id or first_text(attributes, "gen_ai.response.id")
    facts.finish = facts.finish or whole.finish
    return facts


def _read_contents(attributes: Mapping[str, Any], facts: CallFacts) -> ModelAnswer:
    """Read the messages into the facts, and return the whole answer, which has what no other attribute has."""
    whole = ModelAnswer()
    facts.is_cut = REDACTED in attributes.values()
    outputs = flat_messages(attributes, "llm.output_messages.", "message.")
    try:
        value = parse_json(attributes.get("output.value"))
        if isinstance(value, dict) and attributes.get("output.mime_type") != "text/plain":
            # A completion's own id is all that the other attributes do not have.
            is_known = bool(outputs) and "choices" in value and "llm.finish_reason" in attributes
            whole = ModelAnswer(response_id=short_text(value.get("id"))) if is_known else read_answer(value)
    except CutJson:
        facts.is_cut = True
    facts.input = flat_messages(attributes, "llm.input_messages.", "message.") or None
    if facts.input is None and "input.value" in attributes:
        try:
            facts.input = read_messages(parse_json(attributes["input.value"]))
        except CutJson:
            facts.is_cut = True
    elif _is_cut_object(attributes.get("input.value")):
        facts.is_cut = True
    if outputs:
        content = outputs[0].content
        facts.tool_calls = outputs[0].tool_calls
        facts.output = content if isinstance(content, str) else _joined(content)
    elif isinstance(attributes.get("output.value"), str):
        facts.output, facts.tool_calls = whole.text, whole.tool_calls
        if attributes.get("output.mime_type") == "text/plain":
            facts.output = read_answer(attributes["output.value"]).text
    return whole


def _joined(content: Any) -> str | None:
    texts = (
        [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)] if content else []
    )
    return "".join(texts) or None


def _is_cut_object(value: Any) -> bool:
    """Return whether a text begins as a JSON object and does not end as one: the messages beside it may be cut, too."""
    return isinstance(value, str) and value.startswith("{") and not value.rstrip().endswith("}")
