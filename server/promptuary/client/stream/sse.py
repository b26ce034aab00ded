"""A decoder of server-sent events that arrive in pieces of any size (WHATWG HTML standard, section 9.2.6).

A decoder of our own, because the libraries for it read from a response and block there: this one takes bytes from a thread and
from asyncio alike, does no I/O, and limits the memory that an event without an end can take.
"""

from dataclasses import dataclass

EVENT_LIMIT = 1024 * 1024
"""Bytes of one event at most; a split of many small ranges has some hundred thousand."""


class EventTooLarge(Exception):
    """An event is larger than any event of a Promptuary server. Never leaves the client."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """An event: its type (`message` by default), its data, and the last event id of the stream up to it."""

    type: str
    data: str
    id: str


class SseDecoder:
    """Decodes the bytes of one connection into events. It buffers at most `limit` bytes of an incomplete event."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        """Start at the beginning of a stream."""
        self.retry: float | None = None
        """Seconds to wait before connecting again, if the server sent them."""
        self._limit = limit
        self._line = bytearray()
        self._after_cr = False
        self._bom_checked = False
        self._id = ""
        self._type = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Decode some bytes, and return the events that they complete.

        Raises:
            Oversized: for an event over the limit; the rest of the stream cannot be read.
        """
        if not chunk:
            return []
        if self._after_cr:  # the CR at the end of the last chunk ended its line, with or without this LF
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        events = []
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._buffer(line)
            if (event := self._end_line()) is not None:
                events.append(event)
        self._buffer(rest)
        return events

    def _buffer(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise EventTooLarge(f"an event is over {self._limit} bytes")
        self._line += part

    def _end_line(self) -> SseEvent | None:
        """Process the line that is complete now; return the event that it completes, if any."""
        line = bytes(self._line)
        self._line.clear()
        if not self._bom_checked:
            self._bom_checked = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        if line.startswith(b":"):  # a comment is no part of an event
            self._size -= len(line)
            return None
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._type = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit() and len(value) < 10:
            self.retry = int(value) / 1000
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._type or "message", "\n".join(self._data), self._id) if self._data else None
        self._type, self._data, self._size = "", [], 0
        return event
