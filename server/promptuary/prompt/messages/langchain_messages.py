"""LangChain's message objects in OpenAI's form, and back.

LangChain's own conversion joins several texts to one and removes `cache_control`. So a part that is in OpenAI's form already is
kept as it is, and LangChain converts only the other forms: its own content blocks, Anthropic's, Bedrock's and Vertex AI's.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE_CLASSES = {
    "system": "SystemMessage",
    "developer": "SystemMessage",
    "user": "HumanMessage",
    "assistant": "AIMessage",
    "tool": "ToolMessage",
}
"""LangChain's class for each role."""
OPENAI_ROLE = "__openai_role__"
"""Where LangChain's OpenAI models look for the role of a system message."""
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_LEFT_OUT = frozenset({"tool_use", "tool_call", "function_call", "reasoning", "thinking", "redacted_thinking"})
"""Blocks that have no place among a chat's parts: tool calls are a field of the message, and reasoning is not sent back."""
_OF_A_REPLY = ("annotations", "id", "index", "extras", "phase")
"""What providers add to a text of their replies."""


class NotConvertible(Exception):
    """An object has no equivalent in OpenAI's form; `path` leads to the part of it that has none."""

    def __init__(self, message: str, path: str = "") -> None:
        """Store the rest of a sentence that begins with the place."""
        super().__init__(message)
        self.path = path


def is_langchain_message(value: Any) -> bool:
    """Return whether a value is a message object of LangChain, without importing LangChain."""
    return any(
        base.__name__ == "BaseMessage" and base.__module__.startswith("langchain_core.messages") for base in type(value).__mro__
    )


def openai_message(message: Any) -> dict[str, Any]:
    """Return a message object of LangChain as an OpenAI message.

    Raises:
        NotConvertible: it is of a type, or has a part, that OpenAI's form does not have.
    """
    result: dict[str, Any] = {"role": _role(message), "content": _content(message.content)}
    if name := message.name or message.additional_kwargs.get("name"):
        result["name"] = name
    calls = [
        *(_call(call, json.dumps(call["args"], ensure_ascii=False)) for call in getattr(message, "tool_calls", ())),
        *(_call(call, call["args"] or "") for call in getattr(message, "invalid_tool_calls", ())),
    ]
    if calls:
        result["tool_calls"] = calls
        result["content"] = result["content"] or None
    if result["role"] == "tool" and message.type == "tool":
        result["tool_call_id"] = message.tool_call_id
    return result


def message_object(message: Mapping[str, Any]) -> Any:
    """Return an OpenAI message as a message object of LangChain. Arguments that are not a JSON object stay a text."""
    from langchain_core import messages

    fields: dict[str, Any] = {"content": message.get("content") or "", "name": message.get("name")}
    if message["role"] == "developer":
        fields["additional_kwargs"] = {OPENAI_ROLE: "developer"}
    if message["role"] == "tool":
        fields["tool_call_id"] = message.get("tool_call_id", "")
    for call in message.get("tool_calls") or ():
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        try:
            values = json.loads(arguments or "{}")
        except ValueError:
            values = None
        if isinstance(values, dict):
            fields.setdefault("tool_calls", []).append({"name": name, "args": values, "id": call["id"]})
        else:
            invalid_call = {"name": name, "args": arguments, "id": call["id"], "error": "the arguments are not a JSON object"}
            fields.setdefault("invalid_tool_calls", []).append(invalid_call)
    return getattr(messages, MESSAGE_CLASSES[message["role"]])(**fields)


def _role(message: Any) -> str:
    role = _ROLES.get(message.type.removesuffix("MessageChunk").lower())
    if role == "system":
        role = message.additional_kwargs.get(OPENAI_ROLE, role)
    elif role is None and message.type in ("chat", "ChatMessageChunk"):
        role = message.role
    if not isinstance(role, str):
        raise NotConvertible(f"is a {type(message).__name__}, which is not a message of a chat")
    return role


def _call(call: Mapping[str, Any], arguments: str) -> dict[str, Any]:
    return {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def _content(content: str | list[Any]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return list(_parts(content)) or ""


def _parts(blocks: list[Any]) -> Iterator[dict[str, Any]]:
    for number, block in enumerate(blocks):
        if isinstance(block, str):
            yield {"type": "text", "text": block}
        elif block.get("type") not in _LEFT_OUT:
            yield _part(block, f"content.{number}")


def _part(block: Mapping[str, Any], path: str) -> dict[str, Any]:
    part_type = block.get("type")
    if part_type == "image_url" and isinstance(block.get("image_url"), str):
        return {**block, "image_url": {"url": block["image_url"]}}
    if part_type == "text" and "source_type" not in block:
        return {key: value for key, value in block.items() if key not in _OF_A_REPLY}
    if isinstance(part_type, str) and isinstance(block.get(part_type), dict):  # OpenAI's form
        return dict(block)
    return _converted(block, path)


def _converted(block: Mapping[str, Any], path: str) -> dict[str, Any]:
    from langchain_core.messages import HumanMessage, convert_to_openai_messages

    try:
        message = convert_to_openai_messages(HumanMessage([dict(block)]), pass_through_unknown_blocks=False)
        part = message["content"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        subject = f"a block of the type {block['type']!a}" if isinstance(block.get("type"), str) else "a block without a type"
        raise NotConvertible(f"is {subject}, which has no equivalent in OpenAI's form", path) from None
    if not isinstance(part, dict):  # LangChain turned it into a text
        part = {"type": "text", "text": message["content"]}
    return {**part, "cache_control": block["cache_control"]} if "cache_control" in block else part
