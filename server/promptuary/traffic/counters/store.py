"""Queries that count: series, their hours and their days. They take a session, in a transaction that writes.

A day has the sums of its hours: whatever is added to an hour is added to its day in the same transaction. Days are changed
before hours, and each in the order of their keys, so that of two writers one waits for the other, and never both.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import sqlalchemy
from sqlalchemy import bindparam, literal_column, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from promptuary.core.database import table_of
from promptuary.traffic.counters.counts import HOURS_A_DAY, CallCounts, FeedbackCounts, SeriesKey
from promptuary.traffic.counters.latency import BUCKETS, LatencyHistogram
from promptuary.traffic.tables import DayRow, HourRow, SeriesRow

OTHER = "other"
"""What labels, variants and models are counted under beyond the limit."""
VALUES_A_VERSION = 20
"""The most labels, variants and models that a version is counted by: a program that sends made-up ones fills no table."""
_BOUNDED = ("label", "variant", "model")
_SUMS = (
    "calls",
    "errors",
    "incomplete",
    "replayable",
    "token_calls",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_calls",
    "cost",
    "latency_calls",
    "latency_ms",
    "redacted",
)
_FEEDBACK_SUMS = ("feedback", "feedback_sum", "feedback_low")


Place = TypeVar("Place", bound=tuple[int, int])


class SeriesHour(NamedTuple):
    """A row of counters: of a series, and an hour since 1970."""

    series_id: int
    hour: int

    @property
    def day(self) -> tuple[int, int]:
        """The row of its day."""
        return self.series_id, self.hour // HOURS_A_DAY


def require_series(session: Session, project: int, keys: Collection[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the ids of series, and create those that are not there.

    A label, variant or model beyond the limit of the version is counted under `other`, so that several keys may have one id.
    """
    ids = _load_series(session, project, keys)
    bounded = _bounded(keys, ids)
    missing = sorted({key for key in bounded.values() if key not in ids}, key=str)
    if missing:
        rows = [_series_row(project, key) for key in missing]
        session.connection().execute(_insert(session, SeriesRow).on_conflict_do_nothing(), rows)
        ids = _load_series(session, project, missing) | ids
    return {key: ids[bounded[key]] for key in keys}


def add_counts(session: Session, deltas: Mapping[SeriesHour, CallCounts]) -> None:
    """Add counts of calls to their days and hours, which are locked until the transaction ends."""
    days: dict[tuple[int, int], CallCounts] = {}
    for place, delta in deltas.items():
        earlier = days.get(place.day)
        days[place.day] = delta if earlier is None else earlier + delta
    _add_rows(session, DayRow, days)
    _add_rows(session, HourRow, deltas)


def add_feedback_counts(session: Session, changes: Mapping[SeriesHour, FeedbackCounts]) -> None:
    """Add counts of feedback to their days and hours.

    An hour that retention has deleted is not created again by what is subtracted, and its day is not changed by it.
    """
    places = sorted(place for place, change in changes.items() if change != FeedbackCounts())
    _lock_days(session, {place.day for place in places})
    dialect = session.get_bind().dialect.name
    for place in sorted(places, key=lambda place: changes[place].feedback > 0):  # what is subtracted goes first
        change = changes[place]
        for model, time in ((DayRow, place.day[1]), (HourRow, place.hour)):
            row = {"of_series": place.series_id, "of_time": time, "of_hour": place.hour, **asdict(change)}
            statement = _upsert_feedback(dialect, model) if change.feedback > 0 else _change_feedback(model)
            session.connection().execute(statement, row)


def _add_rows(session: Session, model: type[DayRow | HourRow], deltas: Mapping[Place, CallCounts]) -> None:
    connection = session.connection()
    upsert, change = _upsert(session.get_bind().dialect.name, model), _change_latencies(model)
    for place in sorted(deltas):
        delta = deltas[place]
        series, time = place
        row = {name: getattr(delta, name) for name in _SUMS}
        stored = connection.execute(upsert, {"of_series": series, "of_time": time, **row}).scalar_one()
        if delta.latencies:
            latencies = (LatencyHistogram.parse(stored) + _histogram(delta.latencies)).format()
            connection.execute(change, {"of_series": series, "of_time": time, "latencies": latencies})


def _lock_days(session: Session, days: Collection[tuple[int, int]]) -> None:
    """Lock days in the order of their keys; SQLite has one writer anyway."""
    if days and session.get_bind().dialect.name == "postgresql":
        table = table_of(DayRow).c
        key = tuple_(table.series_id, table.day)
        query = sqlalchemy.select(table.series_id).where(key.in_(sorted(days))).order_by(table.series_id, table.day)
        session.connection().execute(query.with_for_update()).all()


def _histogram(latencies: Mapping[int, int]) -> LatencyHistogram:
    return LatencyHistogram(tuple(latencies.get(bucket, 0) for bucket in range(BUCKETS)))


def _load_series(session: Session, project: int, keys: Collection[SeriesKey]) -> dict[SeriesKey, int]:
    prompts, versions = {key.prompt_key for key in keys}, {key.version for key in keys}
    query = select(SeriesRow).where(SeriesRow.project_id == project, col(SeriesRow.prompt_key).in_(prompts))
    table = table_of(SeriesRow).c
    columns = query.with_only_columns(
        table.id, table.prompt_id, table.version, table.label, table.variant, table.model, table.reason
    )
    rows = session.connection().execute(columns.where(col(SeriesRow.version).in_(versions)))
    return {SeriesKey(*key): number for number, *key in rows}


def _bounded(keys: Collection[SeriesKey], known: Collection[SeriesKey]) -> dict[SeriesKey, SeriesKey]:
    """Return for each key the one that it is counted under."""
    values: dict[tuple[int, int, str, str], set[str]] = defaultdict(set)
    for key in known:
        for name in _BOUNDED:
            values[key.prompt_key, key.version, key.reason, name].add(getattr(key, name))
    bounded = {}
    for key in sorted(keys, key=str):
        changes: dict[str, Any] = {}
        for name in _BOUNDED:
            value, seen = getattr(key, name), values[key.prompt_key, key.version, key.reason, name]
            if value and value not in seen and len(seen - {"", OTHER}) >= VALUES_A_VERSION:
                changes[name] = OTHER
            else:
                seen.add(value)
        bounded[key] = replace(key, **changes) if changes else key
    return bounded


def _series_row(project: int, key: SeriesKey) -> dict[str, Any]:
    return {
        "project_id": project,
        "prompt_id": key.prompt_id,
        "prompt_key": key.prompt_key,
        "version": key.version,
        "label": key.label,
        "variant": key.variant,
        "model": key.model,
        "reason": key.reason,
    }


def _insert(session: Session, model: Any) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table_of(model))


def _time(model: type[DayRow | HourRow]) -> str:
    """Return the name of the column of the hour or day that a row counts."""
    return "day" if model is DayRow else "hour"


@lru_cache
def _upsert(dialect: str, model: type[DayRow | HourRow]) -> Any:
    statement = _added(dialect, model, {name: bindparam(name) for name in _SUMS}, _SUMS)
    return statement.returning(table_of(model).c.latencies)


@lru_cache
def _upsert_feedback(dialect: str, model: type[DayRow | HourRow]) -> Any:
    counts: dict[str, Any] = dict.fromkeys(_SUMS, literal_column("0")) | {name: bindparam(name) for name in _FEEDBACK_SUMS}
    return _added(dialect, model, counts, _FEEDBACK_SUMS)


def _added(dialect: str, model: type[DayRow | HourRow], counts: Mapping[str, Any], added: Sequence[str]) -> Any:
    """Return a statement that adds a row, or adds some of its columns to the row that is there."""
    table, time = table_of(model), _time(model)
    statement: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key: dict[str, Any] = {"series_id": bindparam("of_series"), time: bindparam("of_time")}
    empty: dict[str, Any] = dict.fromkeys(_FEEDBACK_SUMS, literal_column("0"))
    statement = statement.values(key | empty | dict(counts) | {"latencies": literal_column("''")})
    sums = {name: table.c[name] + statement.excluded[name] for name in added}
    return statement.on_conflict_do_update(index_elements=["series_id", time], set_=sums)


@lru_cache
def _change_feedback(model: type[DayRow | HourRow]) -> Any:
    table, hours = table_of(model), table_of(HourRow).c
    rows = update(table).where(table.c.series_id == bindparam("of_series"), table.c[_time(model)] == bindparam("of_time"))
    is_counted = hours.series_id == bindparam("of_series"), hours.hour == bindparam("of_hour")
    if model is DayRow:
        rows = rows.where(sqlalchemy.exists().where(*is_counted))
    return rows.values({name: table.c[name] + bindparam(name) for name in _FEEDBACK_SUMS})


@lru_cache
def _change_latencies(model: type[DayRow | HourRow]) -> Any:
    table = table_of(model)
    rows = update(table).where(table.c.series_id == bindparam("of_series"), table.c[_time(model)] == bindparam("of_time"))
    return rows.values(latencies=bindparam("latencies"))
