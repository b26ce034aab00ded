"""Which responses LangChain reads alike from OpenAI's models and from JSON; OpenAI's package reads all others."""

import json
from typing import Any

from promptuary.models.direct.sessions import ReceivedResponse

_PARSE_ERRORS = ("length", "content_filter")
"""The reasons to finish for which OpenAI's package raises where a response format is requested."""

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")


def plain_completion(response: ReceivedResponse, *, parsed: bool) -> dict[str, Any] | None:
    """Return the JSON of a usual completion; None for anything else, such as an error, a page, or a part of another type.

    Args:
        response: of a chat completion.
        parsed: whether OpenAI's package would parse it, as it does where a response format is requested.
    """
    if response.status != 200 or not _is_json(response):
        return None
    try:
        body = _decode(response.content.decode(json.detect_encoding(response.content), "surrogatepass"))
    except ValueError:
        return None
    if not isinstance(body, dict) or body.get("error") or not _is_usage(body.get("usage")):
        return None
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(_is_usual(choice, parsed=parsed) for choice in choices):
        return None
    return body


def _is_json(response: ReceivedResponse) -> bool:
    types = [value for name, value in response.headers if name.lower() == b"content-type"]
    return len(types) == 1 and types[0].partition(b";")[0].strip().endswith(b"json")


def _is_usual(choice: Any, *, parsed: bool) -> bool:
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return False
    reason, message = choice.get("finish_reason"), choice["message"]
    calls = message.get("tool_calls")
    if parsed and (reason in _PARSE_ERRORS or calls):
        return False
    return (
        isinstance(reason, str | None)
        and message.get("role") == "assistant"
        and isinstance(message.get("content"), str | None)
        and isinstance(message.get("refusal"), str | None)
        and not any(message.get(name) for name in ("function_call", "audio", "parsed"))
        and isinstance(calls, list | None)
        and all(map(_is_function_call, calls or ()))
        and _is_logprobs(choice.get("logprobs"))
    )


def _is_function_call(call: Any) -> bool:
    if not isinstance(call, dict) or call.get("type") != "function" or not isinstance(call.get("id"), str):
        return False
    function = call.get("function")
    return isinstance(function, dict) and all(isinstance(function.get(name), str) for name in ("name", "arguments"))


def _is_logprobs(logprobs: Any) -> bool:
    if not isinstance(logprobs, dict | None):
        return False
    tokens = (logprobs or {}).get("content")
    return isinstance(tokens, list | None) and all(
        isinstance(token, dict) and isinstance(token.get("logprob"), int | float) for token in tokens or ()
    )


def _is_usage(usage: Any) -> bool:
    """Return whether there is none, or it has its counts as integers, with those of its details."""
    if usage is None:
        return True
    if not isinstance(usage, dict) or not all(type(usage.get(name)) is int for name in _COUNTS):
        return False
    details = [usage.get(name) for name in _DETAILS]
    return all(isinstance(part, dict | None) for part in details) and all(
        isinstance(count, int | None) for part in details for count in (part or {}).values()
    )


def _no_number(name: str) -> Any:
    raise ValueError(name)


_decode = json.JSONDecoder(parse_constant=_no_number).decode
