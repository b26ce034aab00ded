"""The bounds of what a report may state: times that counters keep, and amounts that a call can have. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promptuary.traffic.calls.model_call import ModelCall

AHEAD_LIMIT = timedelta(hours=1)
"""How far the clock of a sender may be ahead."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A time before it is in another unit, or of a clock that was never set."""
TOKEN_LIMIT = 100_000_000
"""Tokens of one call: with it, the sums of a counter stay below 64 bits for any number of calls."""
COST_LIMIT = 10_000.0
"""US dollars of one call."""
LATENCY_LIMIT = 7 * 24 * 3600 * 1000.0
"""Milliseconds of one call: a week."""


@dataclass(frozen=True)
class TimeBounds:
    """The times that reports may have: from `earliest` to `latest`."""

    earliest: datetime
    latest: datetime

    @classmethod
    def at(cls, now: datetime, counter_days: int) -> "TimeBounds":
        """Return the bounds at a time: counters stay for so many days, and a clock may be ahead by `AHEAD_LIMIT`."""
        return cls(max(EARLIEST, now - timedelta(days=counter_days)), now + AHEAD_LIMIT)

    def error(self, time: datetime) -> str | None:
        """Return what is wrong with a time; None for nothing."""
        if time < self.earliest:
            return f"must not be before {self.earliest:%Y-%m-%dT%H:%M:%SZ}: counters are not kept for longer"
        if time > self.latest:
            return "must not be more than an hour after the server's time; check the clock and the unit"
        return None


def bounds_error(call: ModelCall, times: TimeBounds) -> tuple[str, str] | None:
    """Return the field of a call that is out of bounds, and what is wrong with it; None for nothing."""
    if (error := times.error(call.at)) is not None:
        return "at", error
    tokens = call.tokens
    for name in ("input", "output", "cached", "reasoning"):
        count = getattr(tokens, name)
        if count is not None and count > TOKEN_LIMIT:
            return f"tokens.{name}", f"must be at most {TOKEN_LIMIT:,}"
    amounts = (("cost", call.cost, COST_LIMIT), ("latency_ms", call.latency_ms, LATENCY_LIMIT))
    for name, amount, limit in (*amounts, ("first_token_ms", call.first_token_ms, LATENCY_LIMIT)):
        if amount is not None and amount > limit:
            return name, f"must be at most {limit:,.0f}"
    return None
