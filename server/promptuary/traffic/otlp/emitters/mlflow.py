"""MLflow's tracing, where every value is JSON. Its translation into the GenAI conventions is read as those."""

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import (
    CutJson,
    amount,
    count,
    first_count,
    first_text,
    milliseconds_since,
    parse_json,
    parse_object,
    unquoted,
)
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.messages import read_answer, read_messages
from promptuary.traffic.otlp.wire.spans import TraceSpan

CALL_TYPES = frozenset({"CHAT_MODEL", "LLM"})


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where another family must decide."""
    span_type = span.attributes.get("mlflow.spanType")
    return None if span_type is None else str(unquoted(span_type)) in CALL_TYPES


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    usage = parse_object(attributes.get("mlflow.chat.tokenUsage"))
    cost = parse_object(attributes.get("mlflow.llm.cost"))
    facts = CallFacts(
        emitter="mlflow",
        operation="chat" if unquoted(attributes["mlflow.spanType"]) == "CHAT_MODEL" else None,
        provider=first_text(attributes, "mlflow.llm.provider"),
        response_model=first_text(attributes, "mlflow.llm.model"),
        cost=amount(cost.get("total_cost", cost.get("total"))),
    )
    cached, reasoning = first_count(usage, "cache_read_input_tokens"), None
    try:
        inputs = parse_json(attributes.get("mlflow.spanInputs"))
        facts.input = read_messages(inputs)
        facts.model = first_text(inputs, "model") if isinstance(inputs, dict) else None
    except CutJson:
        facts.is_cut = True
    facts.model = facts.model or first_text(attributes, "model")
    try:
        answer = read_answer(parse_json(attributes.get("mlflow.spanOutputs")))
        facts.output, facts.tool_calls, facts.finish = answer.text, answer.tool_calls, answer.finish
        facts.response_id = answer.response_id
        details = answer.usage.get("completion_tokens_details") or answer.usage.get("output_tokens_details")
        reasoning = count(details.get("reasoning_tokens", details.get("reasoning"))) if isinstance(details, dict) else None
    except CutJson:
        facts.is_cut = True
    facts.tokens = TokenCounts(first_count(usage, "input_tokens"), first_count(usage, "output_tokens"), cached, reasoning)
    for event in span.read_events():
        if event.name == "mlflow.chunk.item.0":
            facts.first_token_ms = milliseconds_since(span.start, event.time)
            break
    return facts
