"""How often a provider is asked: a generic cell rate (ITU-T I.371), which spreads what is asked over the minute.

One pace is shared by all runs of the process, in whatever thread and event loop they go on: that is why it is no limiter of an
asyncio library, which belongs to one loop. It only says how long to wait; who waits has its turn booked.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

BURST = 0.1


class ProviderLimits(Protocol):
    """How much a provider is asked at most."""

    @property
    def requests_per_minute(self) -> int | None:
        """How many calls."""

    @property
    def tokens_per_minute(self) -> int | None:
        """How many tokens, of prompts and answers."""


class RateLimiter:
    """So much in any minute, and a tenth of it at once at most. Safe to use from several threads."""

    def __init__(self, per_minute: int) -> None:
        """Start with nothing booked.

        Args:
            per_minute: what any sixty seconds may have, bursts included; where a call is larger than a burst, one call more.
        """
        burst = max(1.0, per_minute * BURST)
        self._interval = 60 / (per_minute - burst) if per_minute > burst else 60 / per_minute
        self._slack = burst * self._interval
        self._booked = float("-inf")
        self._lock = threading.Lock()

    def book(self, amount: float, now: float) -> float:
        """Book an amount and give the seconds to wait for it; what is booked later waits longer."""
        with self._lock:
            self._booked = max(self._booked, now) + amount * self._interval
            return max(0.0, self._booked - self._slack - now)

    def correct(self, amount: float) -> None:
        """Book so much more, or with a negative amount less, for what is under way or was given up."""
        with self._lock:
            self._booked += amount * self._interval


@dataclass(frozen=True)
class ProviderRateLimiters:
    """The paces that hold for one provider."""

    requests: tuple[RateLimiter, ...] = ()
    tokens: tuple[RateLimiter, ...] = ()

    def book(self, tokens: float, now: float) -> float:
        """Book one call of so many tokens, and give the seconds to wait for it."""
        waits = [pace.book(1, now) for pace in self.requests]
        return max((*waits, *(pace.book(tokens, now) for pace in self.tokens)), default=0.0)

    def correct(self, calls: int, tokens: float) -> None:
        """Book more or, with negative amounts, less."""
        for pace in self.requests:
            pace.correct(calls)
        for pace in self.tokens:
            pace.correct(tokens)


def provider_rate_limiters(
    provider: str, own: Mapping[str, ProviderLimits], shared: Mapping[str, ProviderLimits]
) -> ProviderRateLimiters:
    """Give what holds for a provider: a suite's limits, for its run alone, and the process's, for all runs together."""
    found = [(own.get(provider), RateLimiter), (shared.get(provider), lambda rate: _shared(provider, rate))]
    requests = [make(limit.requests_per_minute) for limit, make in found if limit and limit.requests_per_minute]
    found = [(own.get(provider), RateLimiter), (shared.get(provider), lambda rate: _shared(f"{provider} tokens", rate))]
    tokens = [make(limit.tokens_per_minute) for limit, make in found if limit and limit.tokens_per_minute]
    return ProviderRateLimiters(tuple(requests), tuple(tokens))


@cache
def _shared(what: str, per_minute: int) -> RateLimiter:
    return RateLimiter(per_minute)
