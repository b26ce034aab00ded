"""What a stream of changes means, without I/O: what to confirm, what the stream covers, and when to connect again.

A stream that resumes after an interruption (`resumed`) has missed nothing. A new stream covers only what is requested from
then on, so everything in memory must be confirmed once more.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from promptuary.client.freshness import DISTANT_PAST, StreamCoverage
from promptuary.client.stream.sse import EventTooLarge, SseDecoder, SseEvent
from promptuary.client.transport.wire import RETRY_AFTER_LIMIT, STREAM_SILENCE_SECONDS, StreamEnd
from promptuary.client.versions.version import UnusableResponse, read_json
from promptuary.prompt.name import is_name

SETTLING_SECONDS = 2.0
"""Seconds from its start after which a stream covers answers: the server's processes may be a second behind each other."""
FIRST_PAUSE_SECONDS = 1.0
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 60.0
STABLE_SECONDS = 10.0
"""Seconds after which a stream counts as stable, so that the pauses start at the first one again."""
_LABEL_EVENTS = frozenset({"version.created", "label.moved", "label.removed", "prompt.archived", "prompt.restored"})
"""Events after which a version that the client has is what it was. After another, such as an erasure, it may not be."""
_FORKED = StreamEnd("the process forked")


@dataclass(frozen=True)
class PromptChange:
    """A change of a prompt; without a name, any prompt may have changed.

    `versions` is false where only labels can have changed, and versions that were not there before.
    """

    name: str | None
    revision: int
    versions: bool = False


@dataclass(frozen=True)
class StreamAttempt:
    """One connection of the stream. A later one supersedes it, whichever reader opened that.

    Attributes:
        number: counts the connections.
        resume_after: the id of the event after which the server is to resume; None for a new stream.
    """

    number: int
    resume_after: int | None


class ChangeStream:
    """The client's position in its project's stream.

    Readers on different threads may take over from each other: what a superseded connection still brings changes nothing.
    `coverage` may be read from any thread.
    """

    def __init__(self, ttl: float, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        """Store how many seconds an answer is fresh, a monotonic clock in seconds, and a source of numbers from 0 to 1."""
        self.coverage: StreamCoverage | None = None
        self._ttl = ttl
        self._clock = clock
        self._draw = draw
        self._attempt = StreamAttempt(0, None)
        self._decoder = SseDecoder()
        self._last: int | None = None
        self._ready_at: float | None = None
        self._first_pause = FIRST_PAUSE_SECONDS
        self._failures = 0
        self._lock = threading.Lock()

    @property
    def live(self) -> bool:
        """Whether the server reports changes now."""
        return self._ready_at is not None and self.coverage is not None and self._clock() < self.coverage.live_until

    def after_fork(self) -> None:
        """Replace the lock, and end the connection, which belongs to the parent process."""
        self._lock = threading.Lock()
        self.end(self._attempt, _FORKED)

    def begin(self) -> StreamAttempt:
        """Begin a connection; it supersedes the one before, whichever reader opened that."""
        with self._lock:
            return self._begin()

    def reconnect(self, attempt: StreamAttempt) -> StreamAttempt | None:
        """Begin the next connection of a reader; None where another reader has taken over since."""
        with self._lock:
            return self._begin() if attempt == self._attempt else None

    def _begin(self) -> StreamAttempt:
        self._decoder = SseDecoder()
        self._ready_at = None
        self._attempt = StreamAttempt(self._attempt.number + 1, self._last)
        return self._attempt

    def read(self, attempt: StreamAttempt, chunk: bytes, apply: Callable[[PromptChange], None]) -> None:
        """Read some bytes and apply each change in turn. A change that was not applied is requested again after a break.

        Raises:
            UnusableResponse: for what is no event of a Promptuary server.
        """
        with self._lock:
            if attempt != self._attempt:
                return
            try:
                events = self._decoder.feed(chunk)
            except EventTooLarge as error:
                raise UnusableResponse(str(error)) from None
            for event in events:
                self._read_event(event, apply)
            if self._decoder.retry is not None:
                self._first_pause = min(max(self._decoder.retry, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            if self._ready_at is not None and self.coverage is not None:
                self.coverage.last_byte_at = self._clock()
                self.coverage.live_until = self.coverage.last_byte_at + max(STREAM_SILENCE_SECONDS, self._ttl)

    def end(self, attempt: StreamAttempt, end: StreamEnd) -> float:
        """Record that a connection is over, and return the seconds to wait before the next.

        What the stream covered stays fresh for as long as an answer of that moment would.
        """
        with self._lock:
            if attempt != self._attempt:
                return 0.0
            now = self._clock()
            if self.coverage is not None:
                self.coverage.live_until = min(self.coverage.live_until, self.coverage.last_byte_at + self._ttl)
            if self._ready_at is not None and now - self._ready_at >= STABLE_SECONDS:
                self._failures = 0
            self._ready_at = None
            if end.unusable:
                self._last = None
            pause = self._pause(end)
            self._failures = min(self._failures + 1, 16)
            return pause

    def _pause(self, end: StreamEnd) -> float:
        """Compute the pause: it doubles with every failure, is spread at random, and is at least what the server requested."""
        doubled = min(LONGEST_PAUSE_SECONDS, self._first_pause * 2**self._failures)
        pause = LONGEST_PAUSE_SECONDS if end.refused else doubled
        return max(pause * (0.5 + self._draw() / 2), min(end.retry_after or 0.0, RETRY_AFTER_LIMIT))

    def _read_event(self, event: SseEvent, apply: Callable[[PromptChange], None]) -> None:
        if "\ufffd" in event.data:  # the decoder replaced bytes; the server escapes the character itself
            raise UnusableResponse("an event is not UTF-8")
        data = read_json(event.data.encode())
        revision, name = data.get("revision"), data.get("prompt")
        if type(revision) is not int or revision < 0:
            raise UnusableResponse("an event has no revision")
        if event.id not in ("", str(revision)):
            raise UnusableResponse("an event has another id than its revision")
        if event.type == "ready":
            self._start(revision, data.get("resumed") is True, apply)
            return
        if self._ready_at is None:
            raise UnusableResponse("the stream does not begin with `ready`")
        if event.type in _LABEL_EVENTS and not (isinstance(name, str) and is_name(name)):
            raise UnusableResponse(f"an event '{event.type}' names no prompt")
        if isinstance(name, str):  # else of a type that this release does not know, and about no prompt
            apply(PromptChange(name, revision, versions=event.type not in _LABEL_EVENTS))
        self._last = revision

    def _start(self, revision: int, resumed: bool, apply: Callable[[PromptChange], None]) -> None:
        """Resume where the last connection ended, or start new coverage."""
        now, resume_after = self._clock(), self._attempt.resume_after
        if not (resumed and self.coverage is not None and resume_after is not None and resume_after <= revision):
            if self.coverage is not None:
                self.coverage.live_until = DISTANT_PAST
            self.coverage = StreamCoverage(now, SETTLING_SECONDS)
            apply(PromptChange(None, revision))
            self._last = revision
        self._ready_at = now
