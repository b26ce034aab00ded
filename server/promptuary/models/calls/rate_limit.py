"""The rate limit of a provider: a generic cell rate algorithm (ITU-T I.371), which spreads calls over the minute.

All runs of the process share one limiter, in any thread and event loop. A limiter of an asyncio library belongs to one loop, so
none is used. The limiter only computes how long to wait; a call that waits has reserved its place.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

BURST = 0.1
"""The share of a minute's amount that may be used at once."""


class ProviderLimits(Protocol):
    """The rate limits of one provider."""

    @property
    def requests_per_minute(self) -> int | None:
        """The number of calls; None for no limit."""

    @property
    def tokens_per_minute(self) -> int | None:
        """The number of tokens, of prompts and replies; None for no limit."""


class RateLimiter:
    """A limit for every minute, of which a tenth may be used at once. Safe to use from several threads."""

    def __init__(self, per_minute: int) -> None:
        """Start with nothing reserved.

        Args:
            per_minute: the amount of any sixty seconds, bursts included; one call more if a call is larger than a burst.
        """
        burst = max(1.0, per_minute * BURST)
        self._interval = 60 / (per_minute - burst) if per_minute > burst else 60 / per_minute
        self._slack = burst * self._interval
        self._reserved_until = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, amount: float, now: float) -> float:
        """Reserve an amount and return the seconds to wait for it; later reservations wait longer."""
        with self._lock:
            self._reserved_until = max(self._reserved_until, now) + amount * self._interval
            return max(0.0, self._reserved_until - self._slack - now)

    def correct(self, amount: float) -> None:
        """Add to the reservation of an earlier call, or subtract if the amount is negative."""
        with self._lock:
            self._reserved_until += amount * self._interval


@dataclass(frozen=True)
class ProviderRateLimiters:
    """The rate limiters of one provider, for requests and for tokens."""

    requests: tuple[RateLimiter, ...] = ()
    tokens: tuple[RateLimiter, ...] = ()

    def reserve(self, tokens: float, now: float) -> float:
        """Reserve one call with a number of tokens, and return the seconds to wait for it."""
        waits = [limiter.reserve(1, now) for limiter in self.requests]
        return max((*waits, *(limiter.reserve(tokens, now) for limiter in self.tokens)), default=0.0)

    def correct(self, calls: int, tokens: float) -> None:
        """Add calls and tokens to earlier reservations, or subtract if the numbers are negative."""
        for limiter in self.requests:
            limiter.correct(calls)
        for limiter in self.tokens:
            limiter.correct(tokens)


def provider_rate_limiters(
    provider: str, suite: Mapping[str, ProviderLimits], process: Mapping[str, ProviderLimits]
) -> ProviderRateLimiters:
    """Build the limiters of a provider.

    Args:
        provider: its name.
        suite: the limits of the suite by provider, for its run alone.
        process: the limits of the process by provider, for all its runs together.
    """
    requests, tokens = [], []
    if own := suite.get(provider):
        requests += [RateLimiter(own.requests_per_minute)] if own.requests_per_minute else []
        tokens += [RateLimiter(own.tokens_per_minute)] if own.tokens_per_minute else []
    if shared := process.get(provider):
        requests += [_shared_limiter(provider, "requests", shared.requests_per_minute)] if shared.requests_per_minute else []
        tokens += [_shared_limiter(provider, "tokens", shared.tokens_per_minute)] if shared.tokens_per_minute else []
    return ProviderRateLimiters(tuple(requests), tuple(tokens))


@cache
def _shared_limiter(provider: str, unit: str, per_minute: int) -> RateLimiter:
    return RateLimiter(per_minute)
