"""Messages that an emitter sends as an attribute for each of their parts, with numbers in the names."""

from collections.abc import Mapping
from typing import Any

from promptuary.traffic.calls.model_call import CallMessage
from promptuary.traffic.otlp.attribute_values import clean, short_text
from promptuary.traffic.otlp.messages import read_parts, read_tool_calls

DIGITS = 6
"""The most digits of a message's number."""


def flat_messages(attributes: Mapping[str, Any], prefix: str, infix: str) -> list[CallMessage]:
    """Return the messages of numbered attributes, in the order of their numbers.

    Args:
        attributes: of a span.
        prefix: before a message's number, such as `llm.input_messages.`.
        infix: after the number and its dot, such as `message.`; may be empty.
    """
    fields: dict[int, dict[str, Any]] = {}
    length, skipped = len(prefix), len(infix)
    for name in [name for name in attributes if name.startswith(prefix)]:
        number, _, rest = name[length:].partition(".")
        if number.isdecimal() and len(number) <= DIGITS and rest.startswith(infix):
            fields.setdefault(int(number), {})[rest[skipped:]] = attributes[name]
    return [_message(fields[number]) for number in sorted(fields)]


def _message(fields: Mapping[str, Any]) -> CallMessage:
    if len(fields) == 2 and isinstance(fields.get("content"), str) and "role" in fields:
        return CallMessage(short_text(fields["role"]) or "user", clean(fields["content"]))
    calls: dict[int, dict[str, Any]] = {}
    parts: dict[int, dict[str, Any]] = {}
    for name, value in fields.items():
        if name.startswith("tool_calls."):
            _put(calls, name.removeprefix("tool_calls."), "tool_call.", value)
        elif name.startswith("contents."):
            _put(parts, name.removeprefix("contents."), "message_content.", value)
    tool_calls = tuple(read_tool_calls([_call(calls[number]) for number in sorted(calls)]))
    content = fields.get("content")
    if isinstance(content, str):
        content = clean(content)
    if content is None and parts:
        content = read_parts([parts[number] for number in sorted(parts)]).content
    return CallMessage(
        role=short_text(fields.get("role")) or "user",
        content=None if content == "" and tool_calls else content,
        tool_calls=tool_calls,
        tool_call_id=short_text(fields.get("tool_call_id")),
    )


def _put(numbered: dict[int, dict[str, Any]], name: str, infix: str, value: Any) -> None:
    number, _, rest = name.partition(".")
    if number.isdecimal() and len(number) <= DIGITS:
        numbered.setdefault(int(number), {})[rest.removeprefix(infix)] = value


def _call(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": fields.get("id"),
        "name": fields.get("function.name", fields.get("name")),
        "arguments": fields.get("function.arguments", fields.get("arguments")),
    }
