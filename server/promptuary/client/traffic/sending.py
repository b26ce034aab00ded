"""The sending of batches: tried again while the server does not answer, and divided where it refuses one."""

import random
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from promptuary.client.errors import KeyRefused, Reason
from promptuary.client.traffic.items import LIST_NAMES, DropReason
from promptuary.client.transport.wire import FetchFailure, HttpResponse, ServerRefusal, read_error_response
from promptuary.client.versions.version import UnusableResponse, read_json

Send = Callable[[str, bytes, float], HttpResponse | FetchFailure]
"""Post a body to a path within so many seconds."""
REQUEST_SECONDS = 10.0
RETRY_SECONDS = 600.0
"""How long a batch is tried."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_SHORTEST = 0.01


class CountDropped(Protocol):
    """Counts what is dropped."""

    def __call__(self, reason: DropReason, number: int, detail: str = "") -> None:
        """Count so many items that are dropped."""


class BatchSender:
    """Sends encoded items. It is used by one thread at a time, and hurried by others."""

    def __init__(
        self, send: Send, count_sent: Callable[[int], None], count_dropped: CountDropped, clock: Callable[[], float]
    ) -> None:
        """Store how to send and count; the clock returns monotonic seconds."""
        self._send = send
        self._count_sent = count_sent
        self._count_dropped = count_dropped
        self._clock = clock
        self._hurry: SimpleQueue[float] = SimpleQueue()
        self._is_stopped = False
        self.failure = ""
        """Why the last request got no answer that ends it; empty where it did."""

    def hurry(self, until: float) -> None:
        """End the pause before the next try, except one that the server has requested and that ends before `until`."""
        self._hurry.put(until)

    def stop(self) -> None:
        """Try nothing again from now on."""
        self._is_stopped = True
        self.hurry(0.0)

    def send(self, path: str, items: Sequence[bytes], until: float | None = None) -> None:
        """Send items, and count each of them as sent or dropped; where `until` is over, nothing is tried again."""
        if not items:
            return
        give_up = self._clock() + RETRY_SECONDS
        deadline = give_up if until is None else min(give_up, until)
        body = b'{"%s":[%s]}' % (LIST_NAMES[path].encode(), b",".join(items))
        pause = FIRST_PAUSE
        while True:
            seconds = min(REQUEST_SECONDS, max(_SHORTEST, deadline - self._clock()))
            outcome = _outcome(self._send(path, body, seconds))
            self.failure = outcome.detail if isinstance(outcome, FetchFailure) else ""
            if isinstance(outcome, HttpResponse):
                self._count_response(outcome, len(items))
                return
            if isinstance(outcome, ServerRefusal):
                self._divide(path, items, outcome, until)
                return
            requested = outcome.retry_after or 0.0
            wait = max(pause * random.uniform(0.5, 1.0), requested)
            if self._is_stopped or outcome.reason is Reason.CLOSED or self._clock() + wait > deadline:
                self._count_dropped(DropReason.UNSENT, len(items), outcome.detail)
                return
            self._pause(wait, requested)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _divide(self, path: str, items: Sequence[bytes], refusal: ServerRefusal, until: float | None) -> None:
        """Send the halves of a batch that was refused for some of its items."""
        if len(items) == 1 or isinstance(refusal.error, KeyRefused) or refusal.is_missing:
            self._count_dropped(DropReason.REFUSED, len(items), refusal.error.message)
            return
        half = len(items) // 2
        self.send(path, items[:half], until)
        self.send(path, items[half:], until)

    def _count_response(self, response: HttpResponse, number: int) -> None:
        refused, detail = _rejected(response)
        self._count_sent(number - min(refused, number))
        if refused:
            self._count_dropped(DropReason.REFUSED, min(refused, number), detail)

    def _pause(self, seconds: float, requested: float) -> None:
        """Wait so long, unless somebody hurries; `requested` seconds of it are the server's own."""
        end = self._clock() + seconds
        earliest = end - seconds + requested
        while (left := end - self._clock()) > 0 and not self._is_stopped:
            try:
                until = self._hurry.get(timeout=left)
                end = min(end, earliest if earliest <= until else 0.0)
            except Empty:
                return
        while not self._hurry.empty():
            self._hurry.get()


def _outcome(response: HttpResponse | FetchFailure) -> HttpResponse | FetchFailure | ServerRefusal:
    if isinstance(response, FetchFailure) or 200 <= response.status < 300:
        return response
    return read_error_response(response)


def _rejected(response: HttpResponse) -> tuple[int, str]:
    """Return how many items of a list the server did not take, and why it refused the first."""
    try:
        rejected = read_json(response.body).get("rejected")
    except UnusableResponse:
        return 0, ""
    if not isinstance(rejected, list) or not rejected:
        return 0, ""
    first = rejected[0].get("message") if isinstance(rejected[0], dict) else ""
    return len(rejected), str(first)
