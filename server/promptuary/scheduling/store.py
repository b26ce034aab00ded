"""Queries of schedules and alerts: a session in, domain values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from promptuary.access import store as access_store
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.evaluation.tables import AlertRow, RunRow, ScheduleRow

DUE_LIMIT = 50


@dataclass(frozen=True)
class LastRun:
    """How the run that a schedule submitted last stands."""

    id: str
    state: str
    verdict: str | None


@dataclass(frozen=True)
class Schedule:
    """A suite that is run at the times that a cron expression names.

    Attributes:
        id: its number; 0 for one that is not stored yet.
        project: whose it is.
        name: unique in the project.
        suite: which suite is run.
        cron: five fields.
        zone: in which they are meant.
        label: of the candidate; None for the suite's.
        paused: whether no run is submitted for now.
        margin: the loss against its own history that is borne without an alert, in [0, 1].
        webhook: the address that its alerts are sent to; may hold a secret.
        actor: who wrote it.
        next_at: when it is due.
        last: the run that it submitted last.
        error: why its last time gave no run; None where it gave one.
        created_at: when it was made.
        updated_at: when somebody changed it.
    """

    id: int
    project: int
    name: str
    suite: str
    cron: str
    zone: str
    label: str | None
    paused: bool
    margin: float
    webhook: str | None
    actor: str
    next_at: datetime
    last: LastRun | None
    error: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Alert:
    """A drop of a scheduled run against its own history; open until somebody has seen it."""

    id: int
    project: int
    schedule: str
    suite: str
    run: str
    model: str
    metric: str
    interval: IntervalFigures
    sentence: str
    at: datetime
    seen_by: str | None = None
    seen_at: datetime | None = None


def get_schedule(session: Session, project: int, name: str, *, held: bool = False) -> Schedule | None:
    """Find a schedule; held, nobody else changes it until the transaction ends."""
    query = _schedules(project).where(ScheduleRow.name == name)
    found = session.exec(query.with_for_update(of=ScheduleRow) if held else query).one_or_none()
    return _schedule(*found) if found else None


def list_schedules(session: Session, project: int, after: str | None, limit: int) -> list[Schedule]:
    """List a project's schedules by name."""
    query = _schedules(project).order_by(ScheduleRow.name).limit(limit)
    if after is not None:
        query = query.where(ScheduleRow.name > after)
    return [_schedule(*found) for found in session.exec(query)]


def put_schedule(session: Session, written: Schedule) -> None:
    """Write a schedule, over the one of its name; what its runs came to is kept."""
    row = session.get(ScheduleRow, written.id) if written.id else None
    values = {name: getattr(written, name) for name in ScheduleRow.model_fields if hasattr(written, name) and name != "id"}
    if row is None:
        row = ScheduleRow(project_id=written.project, **values)
    else:
        for name, value in values.items():
            setattr(row, name, value)
    session.add(row)
    session.flush()


def remove_schedule(session: Session, found: Schedule) -> None:
    """Take a schedule away; its runs and alerts stay."""
    session.exec(delete(ScheduleRow).where(col(ScheduleRow.id) == found.id))


def due_schedules(session: Session, now: datetime) -> list[Schedule]:
    """Give schedules of every project whose time has come, the longest overdue first."""
    query = _schedules(None).where(col(ScheduleRow.paused).is_(False), col(ScheduleRow.next_at) <= now)
    return [_schedule(*found) for found in session.exec(query.order_by(col(ScheduleRow.next_at)).limit(DUE_LIMIT))]


def claim_schedule(session: Session, found: Schedule, next_at: datetime) -> bool:
    """Move a schedule on to its next time; False when another has done so, or it was changed since it was read."""
    same = update(ScheduleRow).where(
        col(ScheduleRow.id) == found.id, col(ScheduleRow.next_at) == found.next_at, col(ScheduleRow.paused).is_(False)
    )
    same = same.values(next_at=next_at).returning(col(ScheduleRow.id))
    return session.execute(same).scalar_one_or_none() is not None


def record_outcome(session: Session, found: Schedule, *, run: str | None = None, error: str | None = None) -> None:
    """Say which run a schedule has submitted, or why it submitted none."""
    values = {"error": error, **({"last_run": run} if run is not None else {})}
    session.execute(update(ScheduleRow).where(col(ScheduleRow.id) == found.id).values(**values))


def active_run(session: Session, project: int, name: str) -> str | None:
    """Give a run of a schedule that is not over, if there is one."""
    query = select(RunRow.id).where(RunRow.project_id == project, RunRow.schedule == name)
    query = query.where(col(RunRow.state).in_([RunState.QUEUED, RunState.RUNNING]))
    return session.exec(query.order_by(col(RunRow.id)).limit(1)).one_or_none()


def count_overdue(session: Session, before: datetime) -> int:
    """Count the schedules that were due before a moment and are still waiting."""
    query = select(func.count()).select_from(ScheduleRow)
    return session.exec(query.where(col(ScheduleRow.paused).is_(False), col(ScheduleRow.next_at) < before)).one()


def add_alerts(session: Session, alerts: Sequence[Alert]) -> list[Alert]:
    """Add alerts; their numbers are given here."""
    rows = [AlertRow(project_id=alert.project, run_id=alert.run, **_values(alert)) for alert in alerts]
    session.add_all(rows)
    session.flush()
    return [_alert(row) for row in rows]


def get_alert(session: Session, number: int, project: int | None = None) -> Alert | None:
    """Find an alert; by a project's number only in it."""
    row = session.get(AlertRow, number)
    return _alert(row) if row and project in (None, row.project_id) else None


def list_alerts(
    session: Session, project: int, schedule: str | None, unseen: bool | None, before: int | None, limit: int
) -> list[Alert]:
    """List alerts, the newest first: all, one schedule's, those that nobody or that somebody has seen."""
    query = select(AlertRow).where(AlertRow.project_id == project).order_by(col(AlertRow.id).desc()).limit(limit)
    if schedule is not None:
        query = query.where(AlertRow.schedule == schedule)
    if unseen is not None:
        query = query.where(col(AlertRow.seen_at).is_(None) if unseen else col(AlertRow.seen_at).is_not(None))
    if before is not None:
        query = query.where(col(AlertRow.id) < before)
    return [_alert(row) for row in session.exec(query)]


def mark_alert_seen(session: Session, number: int, actor: str, at: datetime) -> None:
    """Say that somebody has seen an alert."""
    session.execute(update(AlertRow).where(col(AlertRow.id) == number).values(seen_by=actor, seen_at=at))


def last_alert_run(session: Session, project: int, schedule: str, model: str, metric: str) -> str | None:
    """Give the run of a schedule's last alert on a model and metric."""
    query = select(func.max(AlertRow.run_id)).where(AlertRow.project_id == project, AlertRow.schedule == schedule)
    return session.exec(query.where(AlertRow.model == model, AlertRow.metric == metric)).one()


def count_open_alerts(session: Session, limit: int) -> list[tuple[str, str, int]]:
    """Count the alerts that nobody has seen, by project and schedule."""
    query = select(AlertRow.project_id, AlertRow.schedule, func.count()).where(col(AlertRow.seen_at).is_(None))
    rows = session.exec(query.group_by(col(AlertRow.project_id), col(AlertRow.schedule)).limit(limit)).all()
    named = {number: access_store.get_project(session, number) for number in {row[0] for row in rows}}
    return [(project.name if (project := named[number]) else str(number), name, count) for number, name, count in rows]


def _schedules(project: int | None) -> Any:
    query = select(ScheduleRow, RunRow.id, RunRow.state, RunRow.verdict)
    query = query.join(RunRow, col(RunRow.id) == ScheduleRow.last_run, isouter=True)
    return query if project is None else query.where(ScheduleRow.project_id == project)


def _schedule(row: ScheduleRow, run: str | None, state: str | None, verdict: str | None) -> Schedule:
    last = LastRun(run, state or "", verdict) if run is not None else None
    values = {name: getattr(row, name) for name in Schedule.__dataclass_fields__ if name not in ("id", "project", "last")}
    return Schedule(id=row.id or 0, project=row.project_id, last=last, **values)


def _values(alert: Alert) -> dict[str, Any]:
    values = {name: value for name, value in vars(alert).items() if name not in ("id", "project", "run")}
    return values | {"interval": alert.interval.json_body()}


def _alert(row: AlertRow) -> Alert:
    fields = (name for name in Alert.__dataclass_fields__ if name not in ("id", "project", "run", "interval"))
    interval = IntervalFigures.model_validate(row.interval)
    values = {name: getattr(row, name) for name in fields}
    return Alert(id=row.id or 0, project=row.project_id, run=row.run_id, interval=interval, **values)
