"""LangChain's messages, parsed into replies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.models.calls.request import ModelReply
from promptuary.prompt.text import replace_refused

VERBATIM = "verbatim"
"""The key in a message's metadata that keeps the white space around its text."""


def parse_reply(message: Any, latency_ms: float, parsed: Any = None) -> ModelReply:
    """Parse LangChain's message."""
    calls = tuple(getattr(message, "tool_calls", None) or ())
    metadata = getattr(message, "response_metadata", None) or {}
    logprobs = (metadata.get("logprobs") or {}).get("content") if isinstance(metadata.get("logprobs"), dict) else None
    return ModelReply(
        text=_text(message, calls),
        tool_calls=calls,
        parsed=parsed,
        finish_reason=metadata.get("finish_reason") or metadata.get("stop_reason"),
        logprobs=tuple(float(token["logprob"]) for token in logprobs) if logprobs else None,
        tokens=_tokens(getattr(message, "usage_metadata", None)),
        latency_ms=latency_ms,
    )


def _tokens(usage: Mapping[str, Any] | None) -> dict[str, int] | None:
    if not usage:
        return None
    tokens = {"input": usage["input_tokens"], "output": usage["output_tokens"]}
    cache_read = (usage.get("input_token_details") or {}).get("cache_read")
    return tokens | {"cache_read": cache_read} if cache_read else tokens


def _text(message: Any, calls: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a message; if it is empty, its tool calls, in OpenAI's form."""
    text = replace_refused(str(message.text))
    if not (getattr(message, "response_metadata", None) or {}).get(VERBATIM):
        text = text.strip()
    if text or not calls:
        return text
    return replace_refused(
        json.dumps(
            [
                {
                    "id": call.get("id"),
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
                }
                for call in calls
            ],
            ensure_ascii=False,
        )
    )
