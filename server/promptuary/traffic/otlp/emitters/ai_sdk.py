"""The AI SDK of Vercel: the spans of single steps; the span around them is their sum."""

from promptuary.traffic.calls.model_call import TokenCounts
from promptuary.traffic.otlp.attribute_values import CutJson, amount, clean, first_count, first_text, parse_json
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.messages import read_messages, read_tool_calls
from promptuary.traffic.otlp.wire.spans import TraceSpan

CALLS = (".doGenerate", ".doStream")


def is_call(span: TraceSpan) -> bool | None:
    """Return whether a span is a model call; None where another family must decide."""
    operation = span.attributes.get("ai.operationId")
    return None if operation is None else str(operation).endswith(CALLS)


def read(span: TraceSpan) -> CallFacts:
    """Read a span that is a model call."""
    attributes = span.attributes
    facts = CallFacts(
        emitter="ai-sdk",
        operation="chat",
        provider=first_text(attributes, "gen_ai.system", "ai.model.provider"),
        model=first_text(attributes, "gen_ai.request.model", "ai.model.id"),
        response_model=first_text(attributes, "gen_ai.response.model", "ai.response.model"),
        response_id=first_text(attributes, "gen_ai.response.id", "ai.response.id"),
        tokens=TokenCounts(
            input=first_count(attributes, "gen_ai.usage.input_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens"),
            output=first_count(attributes, "gen_ai.usage.output_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens"),
            cached=first_count(attributes, "ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens"),
            reasoning=first_count(attributes, "ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
        ),
        finish=attributes.get("ai.response.finishReason") or attributes.get("gen_ai.response.finish_reasons"),
        first_token_ms=amount(attributes.get("ai.response.msToFirstChunk")),
    )
    try:
        facts.input = read_messages(parse_json(attributes.get("ai.prompt.messages", attributes.get("ai.prompt"))))
    except CutJson:
        facts.is_cut = True
    output = attributes.get("ai.response.text", attributes.get("ai.response.object"))
    facts.output = clean(output) if isinstance(output, str) else None
    try:
        facts.tool_calls = read_tool_calls(parse_json(attributes.get("ai.response.toolCalls")))
        facts.output = facts.output if facts.output or not facts.tool_calls else None
    except CutJson:
        facts.is_cut = True
    return facts
