"""Queries that count: series and their hours. They take a session, in a transaction that writes."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from promptuary.core.database import table_of
from promptuary.traffic.counters.counts import CallCounts, SeriesKey
from promptuary.traffic.counters.latency import BUCKETS, LatencyHistogram
from promptuary.traffic.tables import HourRow, SeriesRow

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


class SeriesHour(NamedTuple):
    """A row of counters: of a series, and an hour since 1970."""

    series_id: int
    hour: int


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
    """Add counts to their rows, which are locked until the transaction ends, always in the same order."""
    connection = session.connection()
    upsert, change = _upsert(session.get_bind().dialect.name), _change_latencies()
    for place in sorted(deltas):
        delta = deltas[place]
        row = {name: getattr(delta, name) for name in _SUMS}
        stored = connection.execute(upsert, {"series_id": place.series_id, "hour": place.hour, **row}).scalar_one()
        if delta.latencies:
            latencies = (LatencyHistogram.parse(stored) + _histogram(delta.latencies)).format()
            connection.execute(change, {"of_series": place.series_id, "of_hour": place.hour, "latencies": latencies})


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


@lru_cache
def _upsert(dialect: str) -> Any:
    table = table_of(HourRow)
    statement: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    names = ("series_id", "hour", *_SUMS)
    statement = statement.values({name: bindparam(name) for name in names} | {"latencies": ""})
    sums = {name: table.c[name] + statement.excluded[name] for name in _SUMS}
    return statement.on_conflict_do_update(index_elements=["series_id", "hour"], set_=sums).returning(table.c.latencies)


@lru_cache
def _change_latencies() -> Any:
    table = table_of(HourRow)
    rows = update(table).where(table.c.series_id == bindparam("of_series"), table.c.hour == bindparam("of_hour"))
    return rows.values(latencies=bindparam("latencies"))
