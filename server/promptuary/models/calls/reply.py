"""LangChain's messages, parsed into replies."""

from collections.abc import Callable, Mapping
from typing import Any

from promptuary.models.calls.reasoning import message_reasoning, split_reasoning
from promptuary.models.calls.request import ModelReply, calls_text
from promptuary.prompt.text import replace_refused

Price = Callable[[Mapping[str, int] | None], float | None]
"""Computes the cost of a call in US dollars from its numbers of tokens; None if it is not known."""

VERBATIM = "verbatim"
"""The key in a message's metadata that keeps the white space around its text."""


REFUSING_REASONS = frozenset({"refusal", "content_filter", "safety", "prohibited_content", "blocklist", "guardrail_intervened"})
"""The words of providers for an output that their rules ended, in lower case."""


def parse_reply(message: Any, latency_ms: float, parsed: Any = None, price: Price = lambda tokens: None) -> ModelReply:
    """Parse LangChain's message.

    Args:
        message: as a model returned it.
        latency_ms: how long the call took.
        parsed: the reply in the form of the request's schema.
        price: computes the cost of numbers of tokens.
    """
    calls = tuple(getattr(message, "tool_calls", None) or ())
    invalid_calls = tuple(_invalid_call(call) for call in getattr(message, "invalid_tool_calls", None) or ())
    metadata = getattr(message, "response_metadata", None) or {}
    logprobs = (metadata.get("logprobs") or {}).get("content") if isinstance(metadata.get("logprobs"), dict) else None
    finish_reason = metadata.get("finish_reason") or metadata.get("stop_reason")
    refusal = _refusal(message, finish_reason)
    tokens = _tokens(getattr(message, "usage_metadata", None))
    reasoning, text = _reasoning_and_text(message, verbatim=bool(metadata.get(VERBATIM)))
    return ModelReply(
        text=text or (calls_text(calls, invalid_calls) if calls or invalid_calls else refusal or ""),
        tool_calls=calls,
        invalid_tool_calls=invalid_calls,
        refusal=refusal,
        reasoning=reasoning,
        parsed=parsed,
        finish_reason=finish_reason,
        logprobs=tuple(float(token["logprob"]) for token in logprobs) if logprobs else None,
        tokens=tokens,
        cost=price(tokens),
        latency_ms=latency_ms,
    )


def own_text(reply: ModelReply) -> str:
    """Return the text that the model wrote itself: empty where its output stands for calls of tools or for a refusal."""
    return "" if reply.text == reply.refusal or not isinstance(reply.output, str) else reply.text


def _invalid_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call that LangChain could not parse, with the texts that can be stored."""
    texts = {name: replace_refused(str(call[name])) for name in ("name", "args", "error") if call.get(name) is not None}
    return {"name": "", "args": "", "error": "", **texts, "id": call.get("id")}


def _refusal(message: Any, finish_reason: Any) -> str | None:
    """Return the refusal of a message: its own words, else the word with which its provider ended it."""
    texts = [(getattr(message, "additional_kwargs", None) or {}).get("refusal")]
    content = getattr(message, "content", None)
    for block in content if isinstance(content, list) else ():
        if isinstance(block, Mapping) and block.get("type") in ("refusal", "non_standard"):
            texts.append((block.get("value") or block).get("refusal"))
    refusal = "\n".join(text.strip() for text in texts if isinstance(text, str) and text.strip())
    if refusal:
        return replace_refused(refusal)
    refused = isinstance(finish_reason, str) and finish_reason.lower() in REFUSING_REASONS
    return f"the provider ended the output: {finish_reason}" if refused else None


def _reasoning_and_text(message: Any, *, verbatim: bool) -> tuple[str, str]:
    """Return the reasoning and the output of a message."""
    text = replace_refused(str(message.text))
    if verbatim:
        return "", text
    inside, output = split_reasoning(text)
    return "\n".join(filter(None, [message_reasoning(message), inside.strip()])), output.strip()


def _tokens(usage: Mapping[str, Any] | None) -> dict[str, int] | None:
    if not usage:
        return None
    tokens = {"input": usage["input_tokens"], "output": usage["output_tokens"]}
    cache_read = (usage.get("input_token_details") or {}).get("cache_read")
    return tokens | {"cache_read": cache_read} if cache_read else tokens
