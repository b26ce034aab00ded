"""The traffic of a prompt or of a project, as its readers see it."""

from dataclasses import dataclass
from datetime import datetime

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.registry.labels import require_prompt
from promptuary.traffic.figures import store
from promptuary.traffic.figures.dimension import (
    PROMPT_DIMENSIONS,
    Dimension,
    TrafficPeriod,
    parse_dimensions,
    parse_period,
)
from promptuary.traffic.figures.figures import TrafficGroup, TrafficSums, merge
from promptuary.traffic.figures.store import TrafficQuery

GROUPS_LIMIT = 10_000
"""The most groups of one answer: thirteen months of hours, or a year of days of 27 versions."""


@dataclass(frozen=True)
class TrafficRequest:
    """A time, a comma list of what calls are counted by, and whether quantiles of latency are wanted."""

    start: datetime | None
    end: datetime | None
    by: str
    has_latency: bool = True


@dataclass(frozen=True)
class TrafficReport:
    """The groups of calls in a period.

    Attributes:
        period: the whole hours that are counted.
        by: the dimensions of the groups.
        groups: in the order of their values.
        totals: the groups over the whole period, where `by` divides them by time; else the same as `groups`.
        total: all calls.
    """

    period: TrafficPeriod
    by: tuple[Dimension, ...]
    groups: tuple[TrafficGroup, ...]
    totals: tuple[TrafficGroup, ...]
    total: TrafficSums


def report_prompt(unit: UnitOfWork, name: str, request: TrafficRequest) -> TrafficReport:
    """Return the traffic of a prompt.

    Raises:
        NotFound: when there is no such prompt.
        InvalidRequest: for a time or dimensions that cannot be answered.
    """
    prompt = require_prompt(unit, name)
    return _report(unit, _query(unit, request, PROMPT_DIMENSIONS, prompt.id))


def report_project(unit: UnitOfWork, request: TrafficRequest) -> TrafficReport:
    """Return the traffic of the project, also of the calls whose prompt is unknown.

    Raises:
        InvalidRequest: for a time or dimensions that cannot be answered.
    """
    return _report(unit, _query(unit, request, tuple(Dimension), None))


def _query(unit: UnitOfWork, request: TrafficRequest, allowed: tuple[Dimension, ...], prompt: int | None) -> TrafficQuery:
    period = parse_period(request.start, request.end, unit.clock())
    return TrafficQuery(unit.caller.project, prompt, period, parse_dimensions(request.by, allowed), request.has_latency)


def _report(unit: UnitOfWork, query: TrafficQuery) -> TrafficReport:
    groups = store.list_groups(unit.session, query, GROUPS_LIMIT + 1)
    if len(groups) > GROUPS_LIMIT:
        message = f"divides the calls into more than {GROUPS_LIMIT:,} groups; take a shorter time, or day in place of hour"
        raise InvalidRequest("the query cannot be answered", [FieldError("by", message)])
    lasting = tuple(dimension for dimension in query.by if not dimension.is_time)
    totals = groups if lasting == query.by else merge(groups, lasting)
    total = merge(totals, ())
    sums = total[0].sums if total else TrafficSums()
    return TrafficReport(query.period, query.by, tuple(groups), tuple(totals), sums)
