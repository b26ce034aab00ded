"""Queries of the settling. They take a session, in a transaction that writes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, delete, func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from promptuary.core.database import table_of
from promptuary.traffic.intake.settling.sampling import Reservoir
from promptuary.traffic.tables import (
    FeedbackRow,
    LinkRow,
    LogContentsRow,
    ObservationRow,
    OnlineScoreRow,
    ReservoirRow,
    SeenRow,
    SpanContentsRow,
    Stratum,
    TrafficSettingsRow,
)

_START = datetime(1970, 1, 1, tzinfo=UTC)
_OBSERVATION = table_of(ObservationRow)


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call whose wait is over; the fields are those of `ObservationRow`."""

    id: str
    project_id: int
    prompt_id: int | None
    version: int
    at: datetime
    trace_id: str | None
    status: str
    random: float
    probability: float
    awaited: dict[str, Any] | None

    def reservoir(self, stratum: Stratum) -> Reservoir:
        """Return the reservoir that the call belongs to in a stratum."""
        return Reservoir(self.prompt_id, self.version, (self.at - _START).days, stratum)


def has_due_calls(session: Session, now: datetime) -> bool:
    """Return whether the wait of any call is over."""
    return session.connection().execute(_due(now, 1)).first() is not None


def due_calls(session: Session, now: datetime, limit: int) -> list[DueCall]:
    """Return some calls whose wait is over, locked; those that another worker has locked are passed over."""
    query = _due(now, limit).with_for_update(skip_locked=True)
    return [DueCall(*row) for row in session.connection().execute(query)]


def reload_calls(session: Session, calls: Sequence[str]) -> list[DueCall]:
    """Return calls as they are now."""
    columns = [_OBSERVATION.c[name] for name in DueCall.__dataclass_fields__]
    query: Any = sqlalchemy.select(*columns).where(_OBSERVATION.c.id.in_(calls))
    return [DueCall(*row) for row in session.connection().execute(query)]


def low_feedback(session: Session, project: int, calls: Collection[str], low_value: float) -> set[str]:
    """Return those of some calls on which feedback below a value has come."""
    query = select(FeedbackRow.observation_id).where(FeedbackRow.project_id == project)
    query = query.where(col(FeedbackRow.observation_id).in_(calls), col(FeedbackRow.value) < low_value).distinct()
    return {call for call in session.exec(query) if call is not None}


def lock_thresholds(session: Session, project: int, reservoirs: Collection[Reservoir]) -> dict[Reservoir, float]:
    """Return the thresholds of reservoirs, locked until the transaction ends, always in the same order."""
    ordered = sorted(reservoirs, key=lambda each: (each.prompt_id or 0, each.version, each.day, each.stratum.value))
    thresholds = {}
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for reservoir in ordered:
        key = _key(project, reservoir)
        insert = dialect.insert(table_of(ReservoirRow)).values(**key, threshold=1.0).on_conflict_do_nothing()
        session.connection().execute(insert)
        query = select(ReservoirRow.threshold).filter_by(**key).with_for_update()
        thresholds[reservoir] = session.exec(query).one()
    return thresholds


def keep_calls(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store that calls are in the sample: `of_id`, `stratum` and `probability`."""
    if rows:
        changed: dict[str, Any] = {name: bindparam(name) for name in ("stratum", "probability")}
        statement = (
            update(_OBSERVATION).where(_OBSERVATION.c.id == bindparam("of_id")).values(is_settled=True, awaited=None, **changed)
        )
        session.connection().execute(statement, rows)


def delete_calls(session: Session, calls: Sequence[str]) -> None:
    """Delete calls with their scores."""
    if calls:
        session.connection().execute(delete(OnlineScoreRow).where(col(OnlineScoreRow.observation_id).in_(calls)))
        session.connection().execute(delete(_OBSERVATION).where(_OBSERVATION.c.id.in_(calls)))


def shrink(session: Session, project: int, reservoir: Reservoir, size: int) -> None:
    """Delete the calls of a full reservoir that are beyond its size, and lower its threshold; it is locked."""
    stored = _stored(project, reservoir)
    count = sqlalchemy.select(func.count()).select_from(_OBSERVATION).where(*stored)
    if session.connection().execute(count).scalar_one() <= size:
        return
    ratio = _OBSERVATION.c.random / _OBSERVATION.c.probability
    query = sqlalchemy.select(_OBSERVATION.c.id, ratio).where(*stored).order_by(ratio)
    beyond = session.connection().execute(query.offset(size)).all()
    delete_calls(session, [call for call, _ in beyond])
    threshold = float(beyond[0][1])
    table = table_of(ReservoirRow)
    lowered = update(table).where(*(table.c[name] == value for name, value in _key(project, reservoir).items()))
    session.connection().execute(lowered.values(threshold=threshold))


def longest_wait(session: Session, wait: int) -> int:
    """Return the longest wait of any project, in seconds; `wait` is that of the service."""
    waits = [settings.get("wait", wait) for settings in session.exec(select(TrafficSettingsRow.settings))]
    longest: int = max([wait, *waits])
    return longest


@dataclass(frozen=True, slots=True)
class PurgeTimes:
    """The times before which nothing is needed any more, in seconds since 1970: of reports, of spans, and of contents."""

    seen: int
    spans: int
    contents: int

    def of_tables(self) -> list[tuple[Any, str, int]]:
        """Return the tables with the name of their key, and their time."""
        return [
            (table_of(SeenRow), "key", self.seen),
            (table_of(LinkRow), "span", self.spans),
            (table_of(LogContentsRow), "span", self.contents),
            (table_of(SpanContentsRow), "span", self.contents),
        ]


def purge(session: Session, before: PurgeTimes, limit: int) -> bool:
    """Delete some of what no later report needs; return whether there may be more."""
    return limit in [_delete_old(session, table, key, time, limit) for table, key, time in before.of_tables()]


def has_old_rows(session: Session, before: PurgeTimes) -> bool:
    """Return whether there is anything to purge."""
    return any(_has_old(session, table, time) for table, _, time in before.of_tables())


def _has_old(session: Session, table: Any, before: int) -> bool:
    return session.connection().execute(sqlalchemy.select(table.c.at).where(table.c.at < before).limit(1)).first() is not None


def _due(now: datetime, limit: int) -> Any:
    columns = [_OBSERVATION.c[name] for name in DueCall.__dataclass_fields__]
    query: Any = sqlalchemy.select(*columns).where(_OBSERVATION.c.is_settled.is_(False), _OBSERVATION.c.settle_at <= now)
    return query.order_by(_OBSERVATION.c.settle_at).limit(limit)


def _key(project: int, reservoir: Reservoir) -> dict[str, Any]:
    return {
        "project_id": project,
        "prompt_key": reservoir.prompt_id or 0,
        "version": reservoir.version,
        "day": reservoir.day,
        "stratum": reservoir.stratum.value,
    }


def _stored(project: int, reservoir: Reservoir) -> list[Any]:
    """Return the conditions of the calls of a reservoir that are in the sample."""
    row, start = _OBSERVATION.c, _START + timedelta(days=reservoir.day)
    return [
        row.project_id == project,
        row.prompt_id.is_(None) if reservoir.prompt_id is None else row.prompt_id == reservoir.prompt_id,
        row.version == reservoir.version,
        row.at >= start,
        row.at < start + timedelta(days=1),
        row.stratum == reservoir.stratum.value,
        row.is_settled.is_(True),
    ]


def _delete_old(session: Session, table: Any, key: str, before: int, limit: int) -> int:
    old = sqlalchemy.select(table.c[key]).where(table.c.at < before).limit(limit)
    deleted: int = session.connection().execute(delete(table).where(table.c[key].in_(old))).rowcount
    return deleted
