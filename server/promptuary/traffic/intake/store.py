"""Queries of the intake: repeats, messages and calls. They take a session, in a transaction that writes.

Every report runs them, so that each is one statement for a whole request, which is built once.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, insert, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from promptuary.core.database import table_of
from promptuary.traffic.tables import LogContentsRow, ObservationRow, SeriesRow

SELECTED = {
    "sqlite": "(SELECT value FROM json_each(:values))",
    "postgresql": "(SELECT value FROM unnest(CAST(:values AS bigint[])) AS value)",
}
"""The values of a parameter as rows: the statement is the same for any number of them."""
_TEXTS = {"sqlite": SELECTED["sqlite"], "postgresql": "(SELECT unnest(CAST(:values AS text[])))"}


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call whose contents wait; the fields are those of `ObservationRow`, and `series_reason` is why it has no prompt."""

    id: str
    series_id: int
    prompt_id: int | None
    version: int
    at: datetime
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    response_id: str | None
    status: str
    is_replayable: bool
    details: dict[str, Any]
    contents: bytes | None
    redacted: int
    user_hash: str | None
    awaited: dict[str, Any] | None
    series_reason: str


@dataclass(frozen=True, slots=True)
class WaitingContents:
    """Messages that wait for their call."""

    span: int
    contents: bytes
    finish: str | None
    redacted: int


def claim_keys(session: Session, keys: Collection[int], now: int, cutoff: int) -> set[int]:
    """Store that some reports came, and return those that had not come since the cutoff.

    Args:
        session: the transaction; another one that claims the same key waits until it ends.
        keys: digests of the reports.
        now: seconds since 1970.
        cutoff: reports before it are forgotten.
    """
    if not keys:
        return set()
    values = {"values": values_of(session, sorted(keys)), "now": now, "cutoff": cutoff}
    return set(session.connection().execute(_claim(dialect_of(session)), values).scalars())


def known_keys(session: Session, keys: Collection[int]) -> set[int]:
    """Return those of some digests of reports that have come."""
    if not keys:
        return set()
    statement = _known(dialect_of(session))
    return set(session.connection().execute(statement, {"values": values_of(session, list(keys))}).scalars())


def open_calls(session: Session, project: int, traces: Collection[str]) -> list[WaitingCall]:
    """Return the waiting calls of some traces of which a span around them may still state more."""
    if not traces:
        return []
    in_traces = col(ObservationRow.trace_id).in_(text(_TEXTS[dialect_of(session)]).bindparams(values=_texts(session, traces)))
    return _waiting(session, project, in_traces, col(ObservationRow.awaited).is_not(None))


def open_calls_by_id(session: Session, project: int, ids: Collection[str]) -> list[WaitingCall]:
    """Return those of some waiting calls of which a span around them may still state more."""
    if not ids:
        return []
    in_ids = col(ObservationRow.id).in_(text(_TEXTS[dialect_of(session)]).bindparams(values=_texts(session, ids)))
    return _waiting(session, project, in_ids, col(ObservationRow.awaited).is_not(None))


def calls_by_response(session: Session, project: int, responses: Collection[str]) -> list[WaitingCall]:
    """Return the waiting calls with some response ids."""
    return _waiting(session, project, col(ObservationRow.response_id).in_(responses)) if responses else []


def calls_by_span(session: Session, project: int, spans: Collection[tuple[str, str]]) -> list[WaitingCall]:
    """Return the waiting calls of some spans, each of a trace's and a span's id."""
    if not spans:
        return []
    traces = {trace for trace, _ in spans}
    in_traces = col(ObservationRow.trace_id).in_(text(_TEXTS[dialect_of(session)]).bindparams(values=_texts(session, traces)))
    return [call for call in _waiting(session, project, in_traces) if (call.trace_id, call.span_id) in spans]


def add_calls(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store calls that wait, as values of `ObservationRow`."""
    if rows:
        session.connection().execute(_insert_calls(), rows)


def change_calls(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store what became known of waiting calls: `of_id`, and the values that `_change_call` names."""
    if rows:
        session.connection().execute(_change_call(), rows)


def take_contents(session: Session, spans: Collection[int]) -> dict[int, WaitingContents]:
    """Return the messages that wait for some spans, and delete them."""
    if not spans:
        return {}
    statement = _take_contents(dialect_of(session))
    rows = session.connection().execute(statement, {"values": values_of(session, sorted(spans))})
    return {row.span: WaitingContents(row.span, bytes(row.contents), row.finish, row.redacted) for row in rows}


def add_contents(session: Session, project: int, contents: Sequence[WaitingContents], now: int) -> None:
    """Store messages that wait for their calls; of one span none may wait, see `take_contents`."""
    rows = [
        {"span": each.span, "project_id": project, "contents": each.contents, "finish": each.finish, "redacted": each.redacted}
        | {"at": now}
        for each in contents
    ]
    if rows:
        session.connection().execute(insert_new(dialect_of(session), LogContentsRow), rows)


def _waiting(session: Session, project: int, *conditions: Any) -> list[WaitingCall]:
    table = table_of(ObservationRow).c
    names = [name for name in WaitingCall.__dataclass_fields__ if name != "series_reason"]
    columns: list[Any] = [*(table[name] for name in names), table_of(SeriesRow).c.reason]
    query: Any = sqlalchemy.select(*columns)
    query = query.join(SeriesRow, col(SeriesRow.id) == ObservationRow.series_id)
    query = query.where(ObservationRow.project_id == project, col(ObservationRow.is_settled).is_(False), *conditions)
    # Two servers that take reports of one call would otherwise both move what they have read.
    query = query.order_by(table.id).with_for_update(of=table_of(ObservationRow))
    return [WaitingCall(*row) for row in session.connection().execute(query)]


def dialect_of(session: Session) -> str:
    """Return the name of a database's dialect."""
    return str(session.get_bind().dialect.name)


def values_of(session: Session, values: Sequence[int]) -> Any:
    """Return numbers as the parameter of `SELECTED`."""
    return json.dumps(values) if dialect_of(session) == "sqlite" else values


def _texts(session: Session, values: Collection[str]) -> Any:
    return json.dumps(sorted(values)) if dialect_of(session) == "sqlite" else sorted(values)


@lru_cache
def _claim(dialect: str) -> Any:
    return text(
        f"INSERT INTO traffic_seen (key, at) SELECT value, :now FROM {SELECTED[dialect]} AS claimed WHERE true "
        "ON CONFLICT (key) DO UPDATE SET at = excluded.at WHERE traffic_seen.at < :cutoff RETURNING key"
    )


@lru_cache
def _known(dialect: str) -> Any:
    return text(f"SELECT key FROM traffic_seen WHERE key IN {SELECTED[dialect]}")


@lru_cache
def _take_contents(dialect: str) -> Any:
    return text(
        f"DELETE FROM traffic_log_contents WHERE span IN {SELECTED[dialect]} RETURNING span, contents, finish, redacted"
    )


@lru_cache
def insert_new(dialect: str, model: Any) -> Any:
    """Return a statement that inserts rows whose keys are not there."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table_of(model)).on_conflict_do_nothing()


@lru_cache
def _insert_calls() -> Any:
    return insert(table_of(ObservationRow))


@lru_cache
def _change_call() -> Any:
    table = table_of(ObservationRow)
    changed = ("series_id", "prompt_id", "version", "details", "contents", "redacted", "is_replayable", "user_hash", "awaited")
    return update(table).where(table.c.id == bindparam("of_id")).values({name: bindparam(name) for name in changed})
