"""Queries of schedules and alerts: a session in, domain values out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from promptuary.access import store as access_store
from promptuary.access.identity import shown_name
from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.scheduling.tables import AlertRow, ScheduleRow

_SCHEDULE_PARSED = ("id", "project", "last", "actor_name")
_ALERT_PARSED = ("id", "project", "run", "interval", "seen_by", "seen_by_id")
DUE_LIMIT = 50
"""The most schedules that one step of the scheduler handles."""


@dataclass(frozen=True)
class LastRun:
    """The state of the run that a schedule submitted last."""

    id: str
    state: RunState
    verdict: str | None


@dataclass(frozen=True)
class Schedule:
    """A suite that is run at the times of a cron expression.

    Attributes:
        id: its number; 0 before it is stored.
        project: the project's number.
        name: unique in the project.
        suite: the suite's name.
        cron: five fields.
        zone: the time zone of the cron expression.
        label: of the candidate; None for the suite's.
        paused: whether no run is submitted for now.
        margin: the loss against its own history that raises no alert, in [0, 1].
        webhook: the address for its alerts; may contain a secret.
        actor: the identity of who wrote it.
        next_at: when it is due.
        last: the run that it submitted last.
        error: why no run was submitted the last time; None where one was.
        created_at: when it was created.
        updated_at: when somebody changed it.
        actor_name: the name of who wrote it.
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
    actor_name: str = ""


@dataclass(frozen=True)
class Alert:
    """A drop of a scheduled run against its own history; open until somebody has seen it.

    Attributes:
        id: its number; 0 before it is stored.
        project: the project's number.
        schedule: the schedule's name.
        suite: the suite's name.
        run: the id of the run that dropped.
        model: the model's name.
        metric: the metric that dropped.
        interval: of this run minus the history.
        sentence: the drop, for people.
        at: when it was raised.
        seen_by: the name of who saw it first.
        seen_by_id: the identity of who saw it first.
        seen_at: when.
    """

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
    seen_by_id: str | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are listed; None leaves nothing out.

    Attributes:
        schedule: the schedule's name.
        unseen: those that nobody has seen (True) or somebody has seen (False).
    """

    schedule: str | None = None
    unseen: bool | None = None


def get_schedule(session: Session, project: int, name: str, *, lock: bool = False) -> Schedule | None:
    """Return a schedule, or None; with `lock`, nobody else changes it until the transaction ends."""
    query = select(ScheduleRow).where(ScheduleRow.project_id == project, ScheduleRow.name == name)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return next(iter(_schedules(session, session.exec(query))), None)


def list_schedules(session: Session, project: int, after: str | None, limit: int) -> list[Schedule]:
    """Return a project's schedules by name; with `after`, only later names."""
    query = select(ScheduleRow).where(ScheduleRow.project_id == project).order_by(ScheduleRow.name).limit(limit)
    if after is not None:
        query = query.where(ScheduleRow.name > after)
    return _schedules(session, session.exec(query))


def put_schedule(session: Session, schedule: Schedule) -> None:
    """Write a schedule, over the one of its number; its last run is kept."""
    row = session.get(ScheduleRow, schedule.id) if schedule.id else None
    values = {name: getattr(schedule, name) for name in ScheduleRow.model_fields if hasattr(schedule, name) and name != "id"}
    if row is None:
        row = ScheduleRow(project_id=schedule.project, **values)
    else:
        for name, value in values.items():
            setattr(row, name, value)
    session.add(row)
    session.flush()


def remove_schedule(session: Session, schedule: Schedule) -> None:
    """Delete a schedule; its runs and alerts stay."""
    session.exec(delete(ScheduleRow).where(col(ScheduleRow.id) == schedule.id))


def due_schedules(session: Session, now: datetime) -> list[Schedule]:
    """Return schedules of every project that are due, the longest overdue first."""
    query = select(ScheduleRow).where(col(ScheduleRow.paused).is_(False), col(ScheduleRow.next_at) <= now)
    return _schedules(session, session.exec(query.order_by(col(ScheduleRow.next_at)).limit(DUE_LIMIT)))


def claim_schedule(session: Session, schedule: Schedule, next_at: datetime) -> bool:
    """Move a schedule to its next time; return False when another worker has done so, or it was changed since it was read.

    A change of the suite or the label leaves `next_at` as it is, so `updated_at` is compared too.
    """
    unchanged = (
        col(ScheduleRow.id) == schedule.id,
        col(ScheduleRow.next_at) == schedule.next_at,
        col(ScheduleRow.updated_at) == schedule.updated_at,
        col(ScheduleRow.paused).is_(False),
    )
    change = update(ScheduleRow).where(*unchanged).values(next_at=next_at).returning(col(ScheduleRow.id))
    return session.execute(change).scalar_one_or_none() is not None


def record_outcome(session: Session, schedule: Schedule, *, run: str | None = None, error: str | None = None) -> None:
    """Store which run a schedule has submitted, or why it submitted none."""
    values = {"error": error, **({"last_run": run} if run is not None else {})}
    session.execute(update(ScheduleRow).where(col(ScheduleRow.id) == schedule.id).values(**values))


def count_overdue(session: Session, before: datetime) -> int:
    """Return the number of schedules that were due before a time and still wait."""
    query = select(func.count()).select_from(ScheduleRow)
    return session.exec(query.where(col(ScheduleRow.paused).is_(False), col(ScheduleRow.next_at) < before)).one()


def add_alerts(session: Session, alerts: Sequence[Alert]) -> list[Alert]:
    """Add alerts, and return them with their numbers."""
    rows = [AlertRow(project_id=alert.project, run_id=alert.run, **_values(alert)) for alert in alerts]
    session.add_all(rows)
    session.flush()
    return [_alert(session, row) for row in rows]


def get_alert(session: Session, number: int, project: int | None = None) -> Alert | None:
    """Return an alert of the project, or of any project where none is given; None where there is none."""
    row = session.get(AlertRow, number, populate_existing=True)
    return _alert(session, row) if row and project in (None, row.project_id) else None


def list_alerts(session: Session, project: int, selection: AlertFilter, before: int | None, limit: int) -> list[Alert]:
    """Return alerts, the newest first; with `before`, only those of a smaller number."""
    query = select(AlertRow).where(AlertRow.project_id == project).order_by(col(AlertRow.id).desc()).limit(limit)
    if selection.schedule is not None:
        query = query.where(AlertRow.schedule == selection.schedule)
    if selection.unseen is not None:
        query = query.where(col(AlertRow.seen_at).is_(None) if selection.unseen else col(AlertRow.seen_at).is_not(None))
    if before is not None:
        query = query.where(col(AlertRow.id) < before)
    return [_alert(session, row) for row in session.exec(query)]


def mark_alert_seen(session: Session, number: int, actor: str, at: datetime) -> bool:
    """Store who has seen an alert; return False when somebody saw it before."""
    change = update(AlertRow).where(col(AlertRow.id) == number, col(AlertRow.seen_at).is_(None))
    change = change.values(seen_by=actor, seen_at=at).returning(col(AlertRow.id))
    return session.execute(change).scalar_one_or_none() is not None


def last_alert_run(session: Session, project: int, schedule: str, model: str, metric: str) -> str | None:
    """Return the id of the run of a schedule's last alert on a model and metric."""
    query = select(func.max(AlertRow.run_id)).where(AlertRow.project_id == project, AlertRow.schedule == schedule)
    return session.exec(query.where(AlertRow.model == model, AlertRow.metric == metric)).one()


def count_open_alerts(session: Session, limit: int) -> list[tuple[str, str, int]]:
    """Return the number of alerts that nobody has seen, by the project's name and the schedule's."""
    query = select(AlertRow.project_id, AlertRow.schedule, func.count()).where(col(AlertRow.seen_at).is_(None))
    rows = session.exec(query.group_by(col(AlertRow.project_id), col(AlertRow.schedule)).limit(limit)).all()
    projects = {number: access_store.get_project(session, number) for number in {row[0] for row in rows}}
    return [
        (project.name if (project := projects[number]) else str(number), schedule, count) for number, schedule, count in rows
    ]


def _schedules(session: Session, rows: Iterable[ScheduleRow]) -> list[Schedule]:
    stored = list(rows)
    outcomes = run_store.run_outcomes(session, {row.last_run for row in stored if row.last_run is not None})
    return [_schedule(session, row, outcomes.get(row.last_run or "")) for row in stored]


def _schedule(session: Session, row: ScheduleRow, outcome: tuple[RunState, str | None] | None) -> Schedule:
    last = LastRun(row.last_run, *outcome) if row.last_run is not None and outcome is not None else None
    values = {name: getattr(row, name) for name in Schedule.__dataclass_fields__ if name not in _SCHEDULE_PARSED}
    name = shown_name(session, row.actor)
    return Schedule(id=row.id or 0, project=row.project_id, last=last, actor_name=name, **values)


def _values(alert: Alert) -> dict[str, Any]:
    values = {name: value for name, value in vars(alert).items() if name not in ("id", "project", "run", "seen_by_id")}
    return values | {"interval": alert.interval.json_body()}


def _alert(session: Session, row: AlertRow) -> Alert:
    fields = (name for name in Alert.__dataclass_fields__ if name not in _ALERT_PARSED)
    values = {name: getattr(row, name) for name in fields}
    interval = IntervalFigures.model_validate(row.interval)
    seen_by = None if row.seen_by is None else shown_name(session, row.seen_by)
    return Alert(
        id=row.id or 0,
        project=row.project_id,
        run=row.run_id,
        interval=interval,
        seen_by=seen_by,
        seen_by_id=row.seen_by,
        **values,
    )
