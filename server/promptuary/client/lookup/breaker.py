"""When the server may be asked: not for a while after several failures in a row, nor while it asked to be left alone."""

from promptuary.client.errors import Reason
from promptuary.client.transport.wire import FetchFailure

PAUSE_LIMIT = 300.0


class Breaker:
    """A circuit breaker. Closed, it lets every request through; open, none; after the cool-down one, whose end decides."""

    def __init__(self, threshold: int, cool_down: float) -> None:
        """Open after `threshold` failures in a row, for `cool_down` seconds."""
        self._threshold = threshold
        self._cool_down = cool_down
        self._failures = 0
        self._open_until = float("-inf")
        self._paused_until = float("-inf")

    def refusal(self, now: float) -> FetchFailure | None:
        """Say why the server may not be asked; None lets the caller ask, and it must then report how that went."""
        if now < self._paused_until:
            return FetchFailure(Reason.BUSY, "the server asked to be left alone for a while")
        if self._failures < self._threshold:
            return None
        if now < self._open_until:
            return FetchFailure(Reason.CIRCUIT_OPEN, "the server failed several times in a row and is left alone for now")
        self._open_until = now + self._cool_down  # the one probe; whoever comes meanwhile does not wait for it
        return None

    def succeeded(self) -> None:
        """Close: the server answers."""
        self._failures = 0
        self._paused_until = float("-inf")

    def failed(self, now: float, retry_after: float | None) -> None:
        """Count a failure, and heed the seconds that the server asked for, up to five minutes."""
        self._failures += 1
        if self._failures >= self._threshold:
            self._open_until = now + self._cool_down
        if retry_after is not None:
            self._paused_until = now + min(retry_after, PAUSE_LIMIT)
