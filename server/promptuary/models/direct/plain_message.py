"""The message of a usual completion that is a text and nothing else, without LangChain's objects; see ADR 0035."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PARTS = ("tool_calls", "function_call", "audio", "refusal", "reasoning_content", "reasoning", "reasoning_details")
"""What a message may have beside its text; LangChain reads a message that has any of it."""
_COUNTED_APART = ("priority", "flex")
"""The tiers for which LangChain has names of their own for the tokens from a cache."""


@dataclass(frozen=True)
class PlainMessage:
    """A message with the attributes of LangChain's that a reply is read from.

    Attributes:
        text: the output.
        response_metadata: the reason to finish.
        usage_metadata: the numbers of tokens, as LangChain names them; None if the server does not report them.
    """

    text: str
    response_metadata: Mapping[str, Any]
    usage_metadata: Mapping[str, Any] | None

    @property
    def content(self) -> str:
        """The output, as LangChain's messages have it."""
        return self.text


def plain_message(completion: Mapping[str, Any]) -> PlainMessage | None:
    """Return the message of a completion; None if it is more than a text, so that LangChain must read it.

    Args:
        completion: as `plain_completion` returns it.
    """
    choices = completion["choices"]
    message, text = choices[0]["message"], choices[0]["message"].get("content")
    reason = choices[0].get("finish_reason")
    if (
        len(choices) > 1
        or not isinstance(text, str)
        or any(message.get(name) for name in _PARTS)
        or choices[0].get("logprobs")
        or reason == "content_filter"
        or completion.get("service_tier") in _COUNTED_APART
        or not _is_unicode(text)
    ):
        return None
    return PlainMessage(text, {"finish_reason": reason}, _usage(completion.get("usage")))


def _usage(usage: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not usage:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    details = {} if cached is None else {"cache_read": cached}
    return {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "input_token_details": details,
    }


def _is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogate, which LangChain's messages do not take."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
