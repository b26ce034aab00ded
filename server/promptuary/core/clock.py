"""Time as an argument: the wall clock in the running service, a clock that is moved by hand in tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Give the present time in UTC."""
    return datetime.now(UTC)


def freeze_clock(clock: Clock) -> Clock:
    """Give a clock that shows the moment of its first question for ever: all that one transaction writes has one time."""
    return lru_cache(maxsize=None)(lambda: clock())


def format_timestamp(moment: datetime) -> str:
    """Give a moment as the API writes it: RFC 3339 in UTC with microseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
