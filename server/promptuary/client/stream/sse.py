"""Server-sent events, read as they come in, in pieces of any size (the WHATWG's HTML standard, 9.2.6)."""

from dataclasses import dataclass

EVENT_LIMIT = 1024 * 1024
"""Bytes that one event may have; a split of many small ranges has some hundred thousand."""


class EventTooLarge(Exception):
    """An event does not end where every event of a Promptuary server would have ended. Never leaves the client."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """An event: its type (`message` where none was named), its data, and the last id that was named up to it."""

    type: str
    data: str
    id: str


class SseDecoder:
    """Takes the bytes of one connection and gives its events; of one that is not whole it holds `limit` bytes at most."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        """Begin at the start of a stream."""
        self.retry: float | None = None
        """Seconds to wait before connecting again, if the server named them."""
        self._limit = limit
        self._line = bytearray()
        self._after_cr = False
        self._begun = False
        self._id = ""
        self._type = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take some bytes, and give the events that they complete.

        Raises:
            Oversized: for an event over the limit; what follows cannot be read.
        """
        if not chunk:
            return []
        if self._after_cr:  # the CR at the end of the last chunk ended its line, with or without this LF
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        events = []
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._hold(line)
            if (event := self._take()) is not None:
                events.append(event)
        self._hold(rest)
        return events

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise EventTooLarge(f"an event is over {self._limit} bytes")
        self._line += part

    def _take(self) -> SseEvent | None:
        """Read the line that is whole now."""
        line = bytes(self._line)
        self._line.clear()
        if not self._begun:
            self._begun = True
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
