"""Langfuse's SDK: generations."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import (
    CutJson,
    amount,
    count,
    first_count,
    first_text,
    milliseconds_since,
    nanoseconds,
    parse_json,
    parse_object,
    unquoted,
)
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.messages import read_answer, read_messages
from promptuary.traffic.otlp.wire.spans import TraceSpan


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where another family must decide."""
    kind = span.attributes.get("langfuse.observation.type")
    return None if kind is None else str(kind).lower() == "generation"


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    costs = parse_object(attributes.get("langfuse.observation.cost_details"))
    facts = CallFacts(
        emitter="langfuse",
        response_model=first_text(attributes, "langfuse.observation.model.name"),
        tokens=read_tokens(parse_object(attributes.get("langfuse.observation.usage_details"))),
        cost=_cost(costs),
        finish=unquoted(attributes.get("langfuse.observation.metadata.finish_reason")),
        first_token_ms=milliseconds_since(
            span.start, nanoseconds(unquoted(attributes.get("langfuse.observation.completion_start_time")))
        ),
    )
    try:
        if "langfuse.observation.input" in attributes:
            facts.input = read_messages(parse_json(attributes["langfuse.observation.input"]))
    except CutJson:
        facts.is_cut = True
    try:
        if "langfuse.observation.output" in attributes:
            answer = read_answer(parse_json(attributes["langfuse.observation.output"]))
            facts.output, facts.tool_calls = answer.text, answer.tool_calls
            facts.finish, facts.response_id = facts.finish or answer.finish, answer.response_id
    except CutJson:
        facts.is_cut = True
    return facts


def read_tokens(usage: Mapping[str, Any]) -> TokenCounts:
    """Read usage details: OpenAI's names, those of LangChain's metadata, or Langfuse's own.

    Langfuse's handler of LangChain takes the details out of `input` and `output`, a caller by hand mostly does not: the total
    shows which it is.
    """
    prompt = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    completion = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    tokens_in = first_count(usage, "prompt_tokens", "input_tokens", "input")
    tokens_out = first_count(usage, "completion_tokens", "output_tokens", "output")
    more_in = sum(count(value) or 0 for name, value in usage.items() if name.startswith("input_") and name != "input_tokens")
    more_out = sum(count(value) or 0 for name, value in usage.items() if name.startswith("output_") and name != "output_tokens")
    total = first_count(usage, "total", "total_tokens")
    if total is not None and tokens_in is not None and tokens_out is not None and more_in + more_out:
        if tokens_in + tokens_out + more_in + more_out == total:
            tokens_in, tokens_out = tokens_in + more_in, tokens_out + more_out
    return TokenCounts(
        input=tokens_in,
        output=tokens_out,
        cached=count(prompt.get("cached_tokens"))
        if isinstance(prompt, dict)
        else first_count(usage, "input_cached_tokens", "input_cache_read", "cache_read_input_tokens"),
        reasoning=count(completion.get("reasoning_tokens"))
        if isinstance(completion, dict)
        else first_count(usage, "output_reasoning_tokens", "output_reasoning"),
    )


def _cost(costs: Mapping[str, Any]) -> float | None:
    total = amount(costs.get("total"))
    if total is not None:
        return total
    parts = [cost for cost in map(amount, costs.values()) if cost is not None]
    return sum(parts) if parts else None
