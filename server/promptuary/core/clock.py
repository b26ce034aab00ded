"""Time as an argument: the wall clock in the running service, and in tests a clock that the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def freeze_clock(clock: Clock) -> Clock:
    """Return a clock that keeps the time of its first call, so that everything in one transaction has one timestamp."""
    return lru_cache(maxsize=None)(lambda: clock())


def format_timestamp(timestamp: datetime) -> str:
    """Return a timestamp as the API writes it: RFC 3339 in UTC with microseconds and a Z."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
