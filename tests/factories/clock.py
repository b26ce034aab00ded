"""Time that a test moves by hand."""

from datetime import UTC, datetime, timedelta

import pytest


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time that it shows."""
        return self.now

    def move(self, **by: float) -> datetime:
        """Advance it by the arguments of `timedelta` and return the new time."""
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def clock() -> ManualClock:
    """Noon in UTC on the 2nd of March 2026, until it is moved."""
    return ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
