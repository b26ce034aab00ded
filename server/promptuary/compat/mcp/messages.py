"""Rendered prompts as messages of the Model Context Protocol, which knows two roles: user and assistant.

A message of another role is sent as one of the user, at its place and unchanged; its content's `_meta` names its own role.
"""

from typing import Any

from promptuary.prompt.templates.prepared import RenderedPrompt

META_PREFIX = "promptuary/"
"""The prefix of this server's keys in `_meta`."""


def protocol_messages(rendered: RenderedPrompt) -> list[dict[str, Any]]:
    """Return the messages of a rendered prompt; a text prompt is one message of the user."""
    if rendered.messages is None:
        return [_message("user", {"type": "text", "text": rendered.text or ""})]
    return [_protocol_message(message["role"], message["content"]) for message in rendered.messages]


def _protocol_message(role: str, text: str) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": text}
    if role in ("user", "assistant"):
        return _message(role, content)
    return _message("user", {**content, "_meta": {f"{META_PREFIX}role": role}})


def _message(role: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": content}
