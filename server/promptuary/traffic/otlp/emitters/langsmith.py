"""LangSmith's SDK over OpenTelemetry, for the wrapped client of OpenAI and for LangChain."""

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import CutJson, count, first_count, first_text, parse_json, parse_object
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.messages import read_answer, read_messages
from promptuary.traffic.otlp.wire.spans import TraceSpan


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where another family must decide."""
    kind = span.attributes.get("langsmith.span.kind")
    return None if kind is None else str(kind).lower() == "llm"


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    usage = parse_object(attributes.get("langsmith.metadata.usage_metadata"))
    details_in, details_out = usage.get("input_token_details"), usage.get("output_token_details")
    facts = CallFacts(
        emitter="langsmith",
        operation=first_text(attributes, "gen_ai.operation.name"),
        provider=first_text(attributes, "langsmith.metadata.ls_provider"),
        model=first_text(attributes, "gen_ai.request.model", "langsmith.metadata.ls_model_name"),
        response_model=first_text(attributes, "gen_ai.response.model"),
        response_id=first_text(attributes, "gen_ai.response.id"),
        tokens=TokenCounts(
            input=first_count(attributes, "gen_ai.usage.input_tokens"),
            output=first_count(attributes, "gen_ai.usage.output_tokens"),
            cached=count(details_in.get("cache_read")) if isinstance(details_in, dict) else None,
            reasoning=count(details_out.get("reasoning")) if isinstance(details_out, dict) else None,
        ),
        finish=attributes.get("gen_ai.response.finish_reasons"),
    )
    try:
        if "gen_ai.prompt" in attributes:
            facts.input = read_messages(parse_json(attributes["gen_ai.prompt"]))
    except CutJson:
        facts.is_cut = True
    try:
        completion = parse_json(attributes.get("gen_ai.completion"))
        answer = read_answer(completion)
        facts.output, facts.tool_calls = answer.text, answer.tool_calls
        facts.finish = facts.finish or answer.finish
        facts.response_id = facts.response_id or answer.response_id
        # A completion that broke repeats the model that was requested; only LangChain's has the one that answered.
        if isinstance(completion, dict) and "choices" not in completion:
            facts.response_model = facts.response_model or answer.model
    except CutJson:
        facts.is_cut = True
    return facts
