"""Rendered prompts as messages of the Model Context Protocol, which knows two roles and one content block a message.

A message of several parts becomes several of its role, in order. One of another role becomes one of the user, at its place;
what the protocol has no field for is in the `_meta` of the content block: the role, the name, tool calls and their ids.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.compat.mcp.attachments import audio_block, file_block, image_block
from promptuary.prompt.templates.prepared import RenderedPrompt

META_PREFIX = "promptuary/"
"""The prefix of this server's keys in `_meta`."""
LINKS_SINCE = "2025-06-18"
"""The first protocol that has links to resources; protocols are named by dates, which order as texts."""


@dataclass(frozen=True)
class MessageConversion:
    """The conversion for a client's protocol; without links, the URL of an image is a text."""

    links: bool

    def convert(self, rendered: RenderedPrompt) -> list[dict[str, Any]]:
        """Return the messages of a rendered prompt; a text prompt is one message of the user."""
        if rendered.messages is None:
            return [{"role": "user", "content": _text(rendered.text or "")}]
        return [message for source in rendered.messages for message in self._messages(source)]

    def _messages(self, source: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        role = source["role"]
        meta = {key: source[key] for key in ("name", "tool_call_id") if source.get(key) is not None}
        if role not in ("user", "assistant"):
            meta["role"], role = role, "user"
        for block, block_meta in self._blocks(source):
            keys = {f"{META_PREFIX}{key}": value for key, value in (meta | block_meta).items()}
            yield {"role": role, "content": {**block, "_meta": keys} if keys else block}

    def _blocks(self, source: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield the content blocks of a message, each with what its `_meta` has beside the message's own."""
        content = source.get("content")
        if isinstance(content, str):
            yield _text(content), {}
        for part in content if isinstance(content, list) else ():
            meta = {"cache_control": part["cache_control"]} if part.get("cache_control") is not None else {}
            block, more = self._part(part)
            yield block, meta | more
        if calls := source.get("tool_calls"):
            yield _text(json.dumps({"tool_calls": calls}, ensure_ascii=False)), {"tool_calls": calls}

    def _part(self, part: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        match part["type"]:
            case "image_url":
                detail = part["image_url"].get("detail")
                block = image_block(part["image_url"]["url"], links=self.links)
                return block, {} if detail is None else {"detail": detail}
            case "input_audio":
                return audio_block(part["input_audio"]["data"], part["input_audio"]["format"]), {}
            case "file" if part["file"].get("file_data") is not None:
                return file_block(part["file"]["filename"], part["file"]["file_data"]), {}
            case "file":  # only the model's provider has the file of an id
                return _text(part["file"]["file_id"]), {"file": dict(part["file"])}
        return _text(part["text"]), {}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
