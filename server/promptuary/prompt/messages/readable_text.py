"""A message as one text, for people and for judges: attachments are named and not repeated."""

import json
from collections.abc import Mapping
from typing import Any


def message_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message in OpenAI's form, with its tool calls, and with a mark in place of each attachment."""
    content = message.get("content")
    lines = [content] if isinstance(content, str) else [_part_text(part) for part in content or ()]
    calls = message.get("tool_calls")
    if calls:
        lines.append(json.dumps(calls, ensure_ascii=False))
    return "\n".join(lines)


def _part_text(part: Mapping[str, Any]) -> str:
    if part["type"] == "text":
        return str(part["text"])
    if part["type"] == "image_url":
        url = part["image_url"]["url"]
        return f"[image {url}]" if not url[:5].lower() == "data:" else f"[image, {len(url)} characters]"
    if part["type"] == "input_audio":
        return f"[audio, {len(part['input_audio']['data'])} characters]"
    file = part["file"]
    return f"[file {file.get('filename') or file.get('file_id')}]"
