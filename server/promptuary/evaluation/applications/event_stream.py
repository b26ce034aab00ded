"""Streamed answers, collected: server-sent events, as the HTML standard has them, and JSON lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

EVENT_STREAM = "text/event-stream"
JSON_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/stream+json")
END = "[DONE]"


@dataclass(frozen=True)
class StreamPart:
    """One part of a stream.

    Attributes:
        event: the event's name; `message` by default.
        text: its data.
        value: the data as JSON; None where it is none.
        is_json: whether it is JSON.
    """

    event: str
    text: str
    value: Any
    is_json: bool


def is_stream(media_type: str) -> bool:
    """Return whether an answer of this type comes in parts."""
    return media_type == EVENT_STREAM or media_type in JSON_LINES


def stream_parts(text: str, media_type: str) -> list[StreamPart]:
    """Return the parts of a whole stream, up to `[DONE]`."""
    events = _events(text) if media_type == EVENT_STREAM else (("message", line) for line in text.split("\n") if line.strip())
    parts: list[StreamPart] = []
    for event, data in events:
        if data.strip() == END:
            break
        try:
            parts.append(StreamPart(event, data, json.loads(data), is_json=True))
        except (ValueError, RecursionError):
            parts.append(StreamPart(event, data, None, is_json=False))
    return parts


def _events(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and data of each event; comments and other fields are left out, and so is an event without data."""
    name, data = "", list[str]()
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if not line:
            if data:
                yield name or "message", "\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
