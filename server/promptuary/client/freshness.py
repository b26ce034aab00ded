"""When a server last said that a version is the one: by an answer, or by a stream that would have told of a change."""

NEVER = float("-inf")
"""A moment that has always passed."""


class StreamCoverage:
    """What one stream vouches for, over interruptions after which nothing was missed.

    Whoever reads the stream writes to it; lookups only read.
    """

    __slots__ = ("begun", "covers_from", "heard", "live_until")

    def __init__(self, begun: float, settling: float) -> None:
        """Begin; what was asked before is to be asked again, and what is asked `settling` seconds later is vouched for."""
        self.begun = begun
        self.covers_from = begun + settling
        self.heard = begun
        """When its last byte came."""
        self.live_until = NEVER
        """How long it still vouches if nothing more comes."""


class Freshness:
    """Since when a version stands confirmed. Every prompt that was given out for it shares one, and so learns when it ends."""

    __slots__ = ("answered", "watch")

    def __init__(self, answered: float | None, watch: StreamCoverage | None = None) -> None:
        """Keep when the server answered (None: never), and the stream that covers it from then on."""
        self.answered = answered
        self.watch = watch

    def confirmed(self) -> float | None:
        """Give when a server last said that the version is the one; None for never."""
        watch, answered = self.watch, self.answered
        return answered if watch is None or answered is None else max(answered, watch.heard)

    def live(self, now: float) -> bool:
        """Tell whether a stream vouches for it now."""
        watch = self.watch
        return watch is not None and now < watch.live_until

    def end(self) -> None:
        """Stop the clock: something happened to the prompt, and what came after is not known."""
        self.answered = self.confirmed()
        self.watch = None
