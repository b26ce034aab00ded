"""The contents of a call as the sample stores them: JSON, compressed. Pure."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.traffic.calls.model_call import CallContents, CallMessage, ReportedToolCall

_LEVEL = 1
"""Of zlib: texts of a few kilobytes hardly become smaller at higher levels, which take several times as long."""


def encode_contents(contents: CallContents) -> bytes:
    """Return contents as they are stored.

    Numbers that JSON does not have become None, and half a surrogate pair a question mark: what is stored can be answered.
    """
    value = contents_json(contents)
    try:
        text = _dump(value)
    except ValueError:
        text = _dump(_finite(value))
    return zlib.compress(text.encode("utf-8", "replace"), _LEVEL)


def decode_contents(stored: bytes) -> CallContents:
    """Return contents as they were before they were stored.

    Raises:
        ValueError: for bytes that are no stored contents.
    """
    try:
        value = json.loads(zlib.decompress(stored))
    except zlib.error as error:
        raise ValueError(f"the stored contents cannot be read: {error}") from None
    return contents_from_json(value)


def contents_json(contents: CallContents) -> dict[str, Any]:
    """Return contents as JSON; parts that the report did not have are left out."""
    value: dict[str, Any] = {}
    if contents.input is not None:
        value["input"] = [message_json(message) for message in contents.input]
    if contents.output is not None:
        value["output"] = contents.output
    if contents.tool_calls:
        value["tool_calls"] = [tool_call_json(call) for call in contents.tool_calls]
    if contents.variables is not None:
        value["variables"] = dict(contents.variables)
    if contents.error_message is not None:
        value["error_message"] = contents.error_message
    if not contents.is_complete:
        value["is_complete"] = False
    return value


def contents_from_json(value: dict[str, Any]) -> CallContents:
    """Return contents from their JSON."""
    messages = value.get("input")
    return CallContents(
        input=None if messages is None else tuple(map(_message, messages)),
        output=value.get("output"),
        tool_calls=tuple(map(_tool_call, value.get("tool_calls", ()))),
        variables=value.get("variables"),
        error_message=value.get("error_message"),
        is_complete=value.get("is_complete", True),
    )


def message_json(message: CallMessage) -> dict[str, Any]:
    """Return a message as JSON: role and content, and what else it has."""
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        value["tool_calls"] = [tool_call_json(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    return value


def tool_call_json(call: ReportedToolCall) -> dict[str, Any]:
    """Return a tool call as JSON."""
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _message(value: dict[str, Any]) -> CallMessage:
    calls = tuple(map(_tool_call, value.get("tool_calls", ())))
    return CallMessage(value["role"], value.get("content"), calls, value.get("tool_call_id"))


def _tool_call(value: dict[str, Any]) -> ReportedToolCall:
    return ReportedToolCall(value.get("id"), value.get("name"), value.get("arguments"))
