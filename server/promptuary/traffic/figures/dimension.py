"""What traffic is counted by. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.traffic.counters.counts import HOURS_A_DAY

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT_DAYS = 30
LONGEST = timedelta(days=3660)
EARLIEST_END, LATEST_END = datetime(1980, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""Between these a query ends, so that all of its hours and days are times."""


class Dimension(StrEnum):
    """A part of what a group of calls has in common."""

    PROMPT = "prompt"
    REASON = "reason"
    """Why the prompt or the version of calls is unknown."""
    VERSION = "version"
    LABEL = "label"
    VARIANT = "variant"
    MODEL = "model"
    HOUR = "hour"
    DAY = "day"

    @property
    def is_time(self) -> bool:
        """Whether it divides calls by time."""
        return self in (Dimension.HOUR, Dimension.DAY)


PROMPT_DIMENSIONS = tuple(dimension for dimension in Dimension if dimension is not Dimension.PROMPT)
"""Those of the traffic of one prompt."""


@dataclass(frozen=True)
class TrafficPeriod:
    """Whole hours since 1970 in UTC: from `first` to before `end`."""

    first: int
    end: int

    @property
    def start_time(self) -> datetime:
        """When the first hour begins."""
        return EPOCH + self.first * HOUR

    @property
    def end_time(self) -> datetime:
        """When the last hour ends."""
        return EPOCH + self.end * HOUR


@dataclass(frozen=True)
class PeriodPart:
    """A part of a period that is read from the counters of hours, or from those of days: from `first` to before `end`."""

    first: int
    end: int
    is_days: bool


def split_period(period: TrafficPeriod, *, has_hours: bool = False) -> list[PeriodPart]:
    """Return the whole days of a period (UTC), with the hours before and after them; with `has_hours`, hours alone."""
    first_day, end_day = -(-period.first // HOURS_A_DAY), period.end // HOURS_A_DAY
    if has_hours or first_day >= end_day:
        return [PeriodPart(period.first, period.end, is_days=False)]
    parts = [
        PeriodPart(period.first, first_day * HOURS_A_DAY, is_days=False),
        PeriodPart(first_day, end_day, is_days=True),
        PeriodPart(end_day * HOURS_A_DAY, period.end, is_days=False),
    ]
    return [part for part in parts if part.first < part.end]


def parse_dimensions(listed: str, allowed: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """Return the dimensions of a comma list, in their usual order.

    Raises:
        InvalidRequest: for one that is unknown, or that occurs twice, or for both hour and day.
    """
    names = [name.strip() for name in listed.split(",")]
    for name in names:
        if name not in allowed:
            choices = ", ".join(allowed)
            raise InvalidRequest("the query cannot be answered", [FieldError("by", f"takes {choices}, with commas between")])
    if len(set(names)) != len(names):
        raise InvalidRequest("the query cannot be answered", [FieldError("by", "has one of them twice")])
    if {Dimension.HOUR, Dimension.DAY} <= set(names):
        raise InvalidRequest("the query cannot be answered", [FieldError("by", "takes either hour or day")])
    return tuple(dimension for dimension in allowed if dimension in names)


def parse_period(start: datetime | None, end: datetime | None, now: datetime) -> TrafficPeriod:
    """Return the whole hours of a time: the last 30 days by default.

    Raises:
        InvalidRequest: when it is empty, longer than ten years, or ends where there can be no calls.
    """
    last = end or now
    if not EARLIEST_END <= last <= LATEST_END:
        raise InvalidRequest("the query cannot be answered", [FieldError("to", "must be from 1980 to 9998")])
    first = start or last - timedelta(days=DEFAULT_DAYS)
    if first >= last:
        raise InvalidRequest(
            "the query cannot be answered", [FieldError("from", "must be before 'to', which is now by default")]
        )
    if last - first > LONGEST:
        raise InvalidRequest("the query cannot be answered", [FieldError("from", "is more than ten years before 'to'")])
    return TrafficPeriod((first - EPOCH) // HOUR, -((EPOCH - last) // HOUR))
