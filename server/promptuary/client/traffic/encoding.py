"""The JSON of calls and feedback. A field whose value cannot be used is left out: what is not known is null."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from promptuary.client.traffic.items import OBSERVATIONS, QueuedItem
from promptuary.client.traffic.json_values import to_json
from promptuary.prompt.text import replace_refused

ITEM_BYTES = 900_000
"""The most bytes of one item; the server accepts a little more in a request."""
_SHORT = 300
_AMOUNT_LIMIT = 1e12
_COUNT_LIMIT = 2**31
_TEXT_LIMIT = 100_000
_STATUSES = ("ok", "error", "incomplete")
_TOKEN_NAMES = {
    "input": ("input", "input_tokens", "prompt_tokens"),
    "output": ("output", "output_tokens", "completion_tokens"),
    "cached": ("cached", "cached_tokens", "cache_read_input_tokens"),
    "reasoning": ("reasoning", "reasoning_tokens"),
}
_CONTENTS = ("variables", "input", "output", "tool_calls", "user", "conversation")
_FEEDBACK_CONTENTS = ("comment", "correction", "user")


class TooLarge(Exception):
    """One call or feedback is larger than a request may be."""


def encode_item(item: QueuedItem, *, contents: bool) -> bytes:
    """Return the JSON of an item.

    Args:
        item: as it was reported.
        contents: whether people's data leave the process.

    Raises:
        TooLarge: when it is over the limit.
    """
    fields = _observation(item.fields, contents) if item.path == OBSERVATIONS else _feedback(item.fields, contents)
    body = {name: value for name, value in fields.items() if value is not None}
    encoded = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(encoded) > ITEM_BYTES:
        raise TooLarge
    return encoded


def _observation(fields: Mapping[str, Any], contents: bool) -> dict[str, Any]:
    error = _error(fields["error"], contents)
    latency = _amount(fields["latency_ms"])
    status = str(fields["status"]) if fields["status"] is not None else None
    body = {
        **_prompt_fields(fields),
        "at": _time(fields["at"], fields["reported_at"], latency),
        "latency_ms": latency,
        "first_token_ms": _amount(fields["first_token_ms"]),
        "cost": _amount(fields["cost"]),
        "status": status if status in _STATUSES else ("ok" if error is None else "error"),
        "error": error,
        "tokens": _tokens(fields["tokens"]),
    }
    for name in ("id", "provider", "model", "response_model", "response_id", "operation", "finish", "conversation", "user"):
        body[name] = _short(fields[name])
    body |= {
        "variables": _optional(fields["variables"], lambda value: to_json(dict(value))),
        "input": _optional(fields["input"], _messages),
        "output": _optional(fields["output"], _text),
        "tool_calls": _optional(fields["tool_calls"], lambda value: [_tool_call(to_json(call)) for call in value]),
    }
    return body if contents else {name: value for name, value in body.items() if name not in _CONTENTS}


def _feedback(fields: Mapping[str, Any], contents: bool) -> dict[str, Any]:
    body = {
        **_version_fields(fields),
        "id": fields["id"],
        "value": fields["value"],
        "at": _time(None, fields["reported_at"], None),
        "name": _short(fields["name"], 200),
        "observation": _short(fields["observation"], 200),
        "user": _short(fields["user"]),
        "comment": _optional(fields["comment"], lambda value: _text(value)[:_TEXT_LIMIT]),
        "correction": _optional(fields["correction"], lambda value: _text(value)[:_TEXT_LIMIT]),
        **{f"prompt_{name}": _short(fields[name], 200) or None for name in ("label", "variant")},
    }
    return body if contents else {name: value for name, value in body.items() if name not in _FEEDBACK_CONTENTS}


def _prompt_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    names = ("prompt", "digest", "label", "variant")
    return {name: _short(fields[name], 200) for name in names} | {"version": fields["version"]}


def _version_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the prompt and its version; by its digest where it has no number."""
    body = {"prompt": _short(fields["prompt"], 200), "version": fields["version"]}
    return body if fields["version"] is not None else {**body, "digest": fields["digest"]}


def _optional(value: Any, convert: Callable[[Any], Any]) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except Exception:  # of any type: the value is the application's own
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return replace_refused(value)
    content = getattr(value, "content", None)
    if isinstance(content, str):
        return replace_refused(content)
    return json.dumps(to_json(value), ensure_ascii=False)


def _messages(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return [{"role": "user", "content": replace_refused(value)}]
    return [_message(message) for message in value]


def _message(message: Any) -> dict[str, Any]:
    if isinstance(message, str):
        return {"role": "user", "content": replace_refused(message)}
    fields = to_json(message)
    if not isinstance(fields, dict):
        return {"role": "user", "content": fields}
    roles = {"human": "user", "ai": "assistant"}
    role = fields.get("role") or fields.get("type") or "user"
    body: dict[str, Any] = {"role": _short(roles.get(str(role), role)), "content": fields.get("content")}
    if isinstance(fields.get("name"), str):
        body["name"] = fields["name"]
    if isinstance(fields.get("tool_call_id"), str):
        body["tool_call_id"] = fields["tool_call_id"]
    if isinstance(fields.get("tool_calls"), list):
        body["tool_calls"] = [_tool_call(call) for call in fields["tool_calls"]]
    return body


def _tool_call(call: Any) -> dict[str, Any]:
    """Return a tool call in the form of the answers; OpenAI's has name and arguments inside `function`."""
    if not isinstance(call, dict):
        return {"arguments": call}
    function = call["function"] if isinstance(call.get("function"), dict) else call
    arguments = function.get("arguments", function.get("args"))
    name, number = function.get("name"), call.get("id")
    return {
        "id": None if number is None else str(number),
        "name": None if name is None else str(name),
        "arguments": arguments,
    }


def _error(error: Any, contents: bool) -> dict[str, str] | None:
    if error is None:
        return None
    if isinstance(error, BaseException):
        kind: Any = type(error).__name__
        message: Any = _optional(error, str)
    elif isinstance(error, Mapping):
        kind, message = error.get("type"), error.get("message")
    else:
        kind, message = None, _optional(error, str)
    fields = {"type": _short(kind), "message": _text(message) if contents and message is not None else None}
    return {name: value for name, value in fields.items() if value is not None}


def _tokens(tokens: Any) -> dict[str, int] | None:
    if tokens is None:
        return None
    counts = {name: _count(tokens, names) for name, names in _TOKEN_NAMES.items()}
    return {name: count for name, count in counts.items() if count is not None}


def _count(tokens: Any, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = tokens.get(name) if isinstance(tokens, Mapping) else getattr(tokens, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _COUNT_LIMIT:
            return int(value)
    return None


def _amount(value: Any) -> float | None:
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and 0 <= amount <= _AMOUNT_LIMIT else None


def _short(value: Any, limit: int = _SHORT) -> str | None:
    text = _optional(value, str)
    return replace_refused(text[:limit]) if text else None


def _time(at: Any, reported_at: float, latency: float | None) -> str:
    """Return when a call began: what was passed, else its latency before it was reported."""
    try:
        time = at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(float(at), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        time = datetime.fromtimestamp(max(0.0, reported_at - (latency or 0.0) / 1000), UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
