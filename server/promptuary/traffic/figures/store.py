"""Queries of counters. They take a session and return domain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, func, literal, literal_column
from sqlmodel import Session, col, select

from promptuary.registry.store import prompt_names
from promptuary.traffic.counters.counts import HOURS_A_DAY
from promptuary.traffic.counters.latency import LatencyHistogram
from promptuary.traffic.figures.dimension import EPOCH, HOUR, Dimension, PeriodPart, TrafficPeriod, split_period
from promptuary.traffic.figures.figures import SUM_NAMES, TrafficGroup, TrafficSums
from promptuary.traffic.tables import DayRow, HourRow, SeriesRow

_DECIMALS = frozenset({"cost", "latency_ms", "feedback_sum"})


@dataclass(frozen=True)
class TrafficQuery:
    """Which calls are counted, and by what.

    Attributes:
        project: the project's id.
        prompt: a prompt's id; None for all calls of the project.
        period: the hours.
        by: the dimensions.
        has_latency: whether histograms of latencies are added up, which takes most of the time.
    """

    project: int
    prompt: int | None
    period: TrafficPeriod
    by: tuple[Dimension, ...]
    has_latency: bool = True


def list_groups(session: Session, query: TrafficQuery, limit: int) -> list[TrafficGroup]:
    """List up to `limit` groups, by the query's dimensions in their order; `limit` of them where there may be more.

    Whole days are read as such; the hours before the first and after the last one are added to them.
    """
    rows: dict[tuple[Any, ...], _SummedRow] = {}
    for part in split_period(query.period, has_hours=Dimension.HOUR in query.by):
        for row in session.connection().execute(_sums_by(query, part).limit(limit)):
            key, sums = tuple(row[: len(query.by)]), _SummedRow(row[len(query.by) : -1], row[-1] or "")
            rows[key] = rows[key] + sums if key in rows else sums
    keys = sorted(rows)[:limit]
    names = prompt_names(session, query.project, {key[0] for key in keys}) if Dimension.PROMPT in query.by else {}
    groups = [_group(query.by, key, rows[key], names) for key in keys]
    return groups if len(keys) == limit else [group for group in groups if group.sums.calls or group.sums.feedback]


@dataclass(frozen=True, slots=True)
class _SummedRow:
    """The sums of a group, in the order of `SUM_NAMES`, and its histograms, joined by commas."""

    sums: Sequence[Any]
    latencies: str

    def __add__(self, other: "_SummedRow") -> "_SummedRow":
        sums = tuple(a + b for a, b in zip(self.sums, other.sums, strict=True))
        return _SummedRow(sums, ",".join(filter(None, (self.latencies, other.latencies))))


def _sums_by(query: TrafficQuery, part: PeriodPart) -> Any:
    """Return a statement that adds up counters of hours or of days."""
    model: type[DayRow | HourRow] = DayRow if part.is_days else HourRow
    time = col(DayRow.day) if part.is_days else col(HourRow.hour)
    dimensions: list[Any] = [_column(dimension, part) for dimension in query.by]
    sums: list[Any] = [func.sum(getattr(model, name)) for name in SUM_NAMES]
    latencies: Any = func.aggregate_strings(func.nullif(model.latencies, ""), ",") if query.has_latency else literal("")
    columns: list[Any] = [*dimensions, *sums, latencies]
    statement: Any = select(*columns).select_from(SeriesRow).join(model, col(model.series_id) == col(SeriesRow.id))
    statement = statement.where(SeriesRow.project_id == query.project, time >= part.first, time < part.end)
    if query.prompt is not None:
        statement = statement.where(SeriesRow.prompt_id == query.prompt)
    places: list[Any] = [literal_column(str(number)) for number in range(1, len(dimensions) + 1)]
    return statement.group_by(*places).order_by(*places)


def _column(dimension: Dimension, part: PeriodPart) -> Any:
    match dimension:
        case Dimension.PROMPT:
            return SeriesRow.prompt_key
        case Dimension.HOUR:
            return HourRow.hour
        case Dimension.DAY:
            return DayRow.day if part.is_days else col(HourRow.hour) // literal_column(str(HOURS_A_DAY), Integer)
        case _:
            return getattr(SeriesRow, dimension.value)


def _group(by: Sequence[Dimension], key: Sequence[Any], row: _SummedRow, names: dict[int, str]) -> TrafficGroup:
    values = {dimension: _value(dimension, value, names) for dimension, value in zip(by, key, strict=True)}
    return TrafficGroup(values, _sums(row.sums, row.latencies))


def _sums(sums: Sequence[Any], latencies: str) -> TrafficSums:
    counted: dict[str, Any] = {
        name: (float if name in _DECIMALS else int)(value or 0) for name, value in zip(SUM_NAMES, sums, strict=True)
    }
    return TrafficSums(**counted, latencies=LatencyHistogram.parse_sum(latencies))


def _value(dimension: Dimension, value: Any, names: dict[int, str]) -> Any:
    """Return what the calls of a group have in common; None where they have none."""
    match dimension:
        case Dimension.PROMPT:
            return names.get(value)
        case Dimension.HOUR:
            return EPOCH + value * HOUR
        case Dimension.DAY:
            return EPOCH + value * HOURS_A_DAY * HOUR
        case _:
            return value or None


@dataclass(frozen=True)
class VersionTraffic:
    """The traffic of a version of any project; `prompt` is None for calls without a prompt, `version` for an unknown one."""

    project: int
    prompt: str | None
    version: int | None
    sums: TrafficSums


def list_version_traffic(session: Session, period: TrafficPeriod) -> list[VersionTraffic]:
    """List the traffic of every version of every project in a period, the one with the most calls first."""
    keys: list[Any] = [SeriesRow.project_id, SeriesRow.prompt_key, SeriesRow.version]
    sums: list[Any] = [func.sum(getattr(HourRow, name)) for name in SUM_NAMES]
    latencies: Any = func.aggregate_strings(func.nullif(HourRow.latencies, ""), ",")
    columns: list[Any] = [*keys, *sums, latencies]
    statement: Any = select(*columns).join(HourRow, col(HourRow.series_id) == col(SeriesRow.id))
    statement = statement.where(HourRow.hour >= period.first, HourRow.hour < period.end).group_by(*keys)
    rows = session.connection().execute(statement).all()
    names: dict[int, str] = {}
    for project in {row[0] for row in rows}:
        names |= prompt_names(session, project, {row[1] for row in rows if row[0] == project})
    traffic = [
        VersionTraffic(row[0], names.get(row[1]), row[2] or None, _sums(row[len(keys) : -1], row[-1] or "")) for row in rows
    ]
    return sorted(traffic, key=lambda version: -version.sums.calls)
