"""When a server last confirmed a version: by an answer, or by a stream of changes that would have announced a change."""

DISTANT_PAST = float("-inf")
"""A timestamp before every other."""


class StreamCoverage:
    """What one stream of changes covers, across interruptions after which nothing was missed.

    The reader of the stream writes to it; lookups only read. All times are monotonic seconds.

    Attributes:
        started_at: answers requested before this moment must be requested again.
        covers_from: answers requested from this moment on stay fresh while the stream lives.
        last_byte_at: when the last byte arrived.
        live_until: how long the stream still counts as live if nothing more arrives.
    """

    __slots__ = ("covers_from", "last_byte_at", "live_until", "started_at")

    def __init__(self, started_at: float, settling: float) -> None:
        """Start now; coverage begins `settling` seconds later."""
        self.started_at = started_at
        self.covers_from = started_at + settling
        self.last_byte_at = started_at
        self.live_until = DISTANT_PAST


class Freshness:
    """Since when a version is confirmed. Every prompt object that was returned for it shares one, and so learns of its end."""

    __slots__ = ("answered_at", "coverage")

    def __init__(self, answered_at: float | None, coverage: StreamCoverage | None = None) -> None:
        """Store when the server answered (None: never), and the stream that covers the version from then on."""
        self.answered_at = answered_at
        self.coverage = coverage

    def confirmed_at(self) -> float | None:
        """Return when a server last confirmed the version, in monotonic seconds; None for never."""
        coverage, answered_at = self.coverage, self.answered_at
        return answered_at if coverage is None or answered_at is None else max(answered_at, coverage.last_byte_at)

    def is_live(self, now: float) -> bool:
        """Return whether a live stream covers the version now."""
        coverage = self.coverage
        return coverage is not None and now < coverage.live_until

    def end(self) -> None:
        """Stop the coverage: the prompt has changed, and nothing is known about the version from now on."""
        self.answered_at = self.confirmed_at()
        self.coverage = None
