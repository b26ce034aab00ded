"""What a stream of changes means, without I/O: what to ask again, what it vouches for, and when to connect again.

A stream that goes on after an interruption where it was (`resumed`) has missed nothing. One that begins anew vouches only
for what is asked from then on, so everything held is asked for once more.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from promptuary.client.freshness import NEVER, StreamCoverage
from promptuary.client.lookup.breaker import PAUSE_LIMIT
from promptuary.client.stream.sse import EventTooLarge, SseDecoder, SseEvent
from promptuary.client.transport.wire import StreamEnd
from promptuary.client.versions.version import UnusableResponse, read_json

SILENCE_SECONDS = 45.0
"""Seconds without a byte after which a stream is dead: three of the server's signs of life."""
SETTLING_SECONDS = 2.0
"""Seconds from its beginning after which a stream vouches: the server's processes may be a second behind each other."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STABLE_SECONDS = 10.0
"""Seconds after which a stream counts as having worked, and the pauses begin anew."""


@dataclass(frozen=True)
class PromptChange:
    """Something happened to a prompt, or (without a name) what happened cannot be told."""

    name: str | None
    revision: int


class ChangeStream:
    """Where a client is in its project's stream. One reader at a time drives it; `watch` may be read by anyone."""

    def __init__(self, ttl: float, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        """Take how long an answer is fresh, a monotonic clock in seconds, and a source of numbers from 0 to 1."""
        self.watch: StreamCoverage | None = None
        self._ttl = ttl
        self._clock = clock
        self._draw = draw
        self._parser = SseDecoder()
        self._last: int | None = None
        self._sent: int | None = None
        self._ready_at: float | None = None
        self._first_pause = FIRST_PAUSE_SECONDS
        self._failures = 0

    @property
    def live(self) -> bool:
        """Whether the server tells of changes now."""
        return self._ready_at is not None and self.watch is not None and self._clock() < self.watch.live_until

    def begin(self) -> int | None:
        """Begin a connection, and give the id after which the server should resume."""
        self._parser = SseDecoder()
        self._ready_at = None
        self._sent = self._last
        return self._sent

    def heard(self, chunk: bytes) -> Iterator[PromptChange]:
        """Read some bytes, and give each change in turn; it counts as heeded when the next one is asked for.

        Raises:
            Unusable: for what is no event of a Promptuary server.
        """
        try:
            events = self._parser.feed(chunk)
        except EventTooLarge as error:
            raise UnusableResponse(str(error)) from None
        for event in events:
            yield from self._read(event)
        if self._parser.retry is not None:
            self._first_pause = min(max(self._parser.retry, 0.1), LONGEST_PAUSE_SECONDS)
        if self._ready_at is not None and self.watch is not None:
            self.watch.heard = self._clock()
            self.watch.live_until = self.watch.heard + max(SILENCE_SECONDS, self._ttl)

    def ended(self, how: StreamEnd) -> float:
        """Take in that the connection is over, and give the seconds to wait before the next.

        What the stream vouched for stays fresh for as long as an answer of that moment would.
        """
        now = self._clock()
        if self.watch is not None:
            self.watch.live_until = min(self.watch.live_until, self.watch.heard + self._ttl)
        if self._ready_at is not None and now - self._ready_at >= STABLE_SECONDS:
            self._failures = 0
        self._ready_at = None
        if how.unusable:
            self._last = None
        pause = LONGEST_PAUSE_SECONDS if how.refused else min(LONGEST_PAUSE_SECONDS, self._first_pause * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return max(pause * (0.5 + self._draw() / 2), min(how.retry_after or 0.0, PAUSE_LIMIT))

    def _read(self, event: SseEvent) -> Iterator[PromptChange]:
        data = read_json(event.data.encode())
        revision, name = data.get("revision"), data.get("prompt")
        if type(revision) is not int:
            raise UnusableResponse("an event has no revision")
        if event.type == "ready":
            yield from self._ready(revision, data.get("resumed") is True)
        elif self._ready_at is None:
            raise UnusableResponse("the stream does not begin with `ready`")
        elif isinstance(name, str):
            yield PromptChange(name, revision)
            self._last = revision
        else:  # of a kind that this release does not know, and about no prompt
            self._last = revision

    def _ready(self, revision: int, resumed: bool) -> Iterator[PromptChange]:
        """Go on where the last connection was, or begin anew."""
        now = self._clock()
        is_resumed = resumed and self.watch is not None and self._sent is not None and self._sent <= revision
        if not is_resumed:
            if self.watch is not None:
                self.watch.live_until = NEVER
            self.watch = StreamCoverage(now, SETTLING_SECONDS)
            yield PromptChange(None, revision)
            self._last = revision
        self._ready_at = now
