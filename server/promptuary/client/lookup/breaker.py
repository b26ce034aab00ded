"""When the server may be asked: not for a while after several failures in a row, nor during a pause that it requested.

A breaker of our own, because the libraries for it wrap a call: here the request and its outcome are seen in different places
(a caller's deadline may pass before the request ends), time comes from the caller's clock, and the server's Retry-After
counts as well.
"""

from promptuary.client.errors import Reason
from promptuary.client.transport.wire import RETRY_AFTER_LIMIT, FetchFailure


class CircuitBreaker:
    """A circuit breaker. Closed, it permits every request; open, none; after the cool-down one, whose outcome decides."""

    def __init__(self, threshold: int, cool_down: float) -> None:
        """Open after `threshold` failures in a row, for `cool_down` seconds."""
        self._threshold = threshold
        self._cool_down = cool_down
        self._failures = 0
        self._open_until = float("-inf")
        self._paused_until = float("-inf")

    def refusal(self, now: float) -> FetchFailure | None:
        """Return why the server may not be asked; None permits a request, whose outcome the caller must report."""
        if now < self._paused_until:
            return FetchFailure(Reason.BUSY, "the server requested a pause")
        if self._failures < self._threshold:
            return None
        if now < self._open_until:
            return FetchFailure(Reason.CIRCUIT_OPEN, "the server failed several times in a row and gets no requests for now")
        self._open_until = now + self._cool_down  # the one probe; nobody waits for it meanwhile
        return None

    def succeeded(self) -> None:
        """Close: the server answers."""
        self._failures = 0
        self._paused_until = float("-inf")

    def failed(self, now: float, retry_after: float | None) -> None:
        """Count a failure, and pause for the seconds that the server requested, up to five minutes."""
        self._failures += 1
        if self._failures >= self._threshold:
            self._open_until = now + self._cool_down
        if retry_after is not None:
            self._paused_until = now + min(retry_after, RETRY_AFTER_LIMIT)
