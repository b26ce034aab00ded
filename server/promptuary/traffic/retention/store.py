"""Deletions of what was stored long enough. They take a session, in a transaction that writes, and delete at most `limit` rows.

Rows are locked before they are deleted, so that nobody ties a new row to one that goes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, delete, exists
from sqlmodel import Session, col, select

from promptuary.core.database import table_of
from promptuary.traffic.counters.counts import HOURS_A_DAY
from promptuary.traffic.tables import (
    DayRow,
    FeedbackRow,
    FeedbackWaitRow,
    HourRow,
    ObservationRow,
    OnlineScoreRow,
    ReservoirRow,
    SeriesRow,
    TrafficSettingsRow,
)

_LONGEST_WAIT = timedelta(days=1)
"""No call waits longer; the index of calls is by the end of the wait."""
ROW_MODELS = (ObservationRow, FeedbackRow, FeedbackWaitRow, OnlineScoreRow, HourRow, DayRow, SeriesRow, ReservoirRow)


def list_projects(session: Session) -> list[int]:
    """Return the projects that have had any traffic."""
    return list(session.exec(select(TrafficSettingsRow.project_id).order_by(col(TrafficSettingsRow.project_id))))


def delete_observations(session: Session, project: int, before: datetime, limit: int) -> int:
    """Delete calls that came before a time, with their scores, except those that still wait."""
    row = ObservationRow
    query = select(row.id).where(col(row.is_settled), row.settle_at < before + _LONGEST_WAIT)
    query = query.where(row.project_id == project, row.received_at < before).limit(limit)
    return delete_observations_by_id(session, list(session.exec(query.with_for_update(skip_locked=True))))


def delete_observations_by_id(session: Session, ids: Sequence[str]) -> int:
    """Delete calls with their scores; return how many there were."""
    if not ids:
        return 0
    _execute(session, delete(OnlineScoreRow).where(col(OnlineScoreRow.observation_id).in_(ids)))
    return _execute(session, delete(ObservationRow).where(col(ObservationRow.id).in_(ids)))


def delete_feedback(session: Session, project: int, before: datetime, limit: int) -> int:
    """Delete feedback that came before a time; its value stays in the counters."""
    row = FeedbackRow
    query = select(row.id).where(row.project_id == project, row.created_at < before).limit(limit)
    return delete_feedback_by_id(session, project, list(session.exec(query.with_for_update(skip_locked=True))))


def delete_feedback_by_id(session: Session, project: int, ids: Sequence[str]) -> int:
    """Delete feedback, also where it waits for its call; return how many there were."""
    if not ids:
        return 0
    waiting, row = FeedbackWaitRow, FeedbackRow
    _execute(session, delete(waiting).where(col(waiting.project_id) == project, col(waiting.feedback_id).in_(ids)))
    return _execute(session, delete(row).where(col(row.project_id) == project, col(row.id).in_(ids)))


def delete_days(session: Session, project: int, before: int, limit: int) -> int:
    """Delete counters of days, counted since 1970, before one, each with its hours."""
    days, hours = table_of(DayRow).c, table_of(HourRow).c
    old: Any = sqlalchemy.select(days.series_id, days.day).join(SeriesRow, col(SeriesRow.id) == days.series_id)
    old = old.where(SeriesRow.project_id == project, days.day < before).limit(limit)
    locked = old.with_for_update(skip_locked=True, of=table_of(DayRow))
    keys = [
        {"of_series": series, "of_day": day, "first": day * HOURS_A_DAY, "last": (day + 1) * HOURS_A_DAY - 1}
        for series, day in session.connection().execute(locked).all()
    ]
    if keys:
        of_day = hours.series_id == bindparam("of_series"), hours.hour.between(bindparam("first"), bindparam("last"))
        session.connection().execute(delete(HourRow).where(*of_day), keys)
        day = days.series_id == bindparam("of_series"), days.day == bindparam("of_day")
        session.connection().execute(delete(DayRow).where(*day), keys)
    return len(keys)


def delete_series(session: Session, project: int, limit: int) -> int:
    """Delete series that nothing is counted by any more: they have names of models and labels."""
    series = SeriesRow
    is_used = [
        exists().where(col(DayRow.series_id) == series.id),
        exists().where(col(HourRow.series_id) == series.id),
        exists().where(col(ObservationRow.series_id) == series.id),
        exists().where(col(FeedbackRow.series_id) == series.id),
    ]
    query = select(series.id).where(series.project_id == project, *(~used for used in is_used)).limit(limit)
    ids = list(session.exec(query.with_for_update(skip_locked=True)))
    return _execute(session, delete(series).where(col(series.id).in_(ids))) if ids else 0


def delete_reservoirs(session: Session, project: int, before: int, limit: int) -> int:
    """Delete the thresholds of days, counted since 1970, before one."""
    table = table_of(ReservoirRow)
    key = sqlalchemy.tuple_(*table.primary_key.columns)
    old = sqlalchemy.select(*table.primary_key.columns).where(table.c.project_id == project, table.c.day < before)
    return _execute(session, delete(table).where(key.in_(old.limit(limit))))


def _execute(session: Session, statement: Any) -> int:
    count: int = session.connection().execute(statement).rowcount
    return count
