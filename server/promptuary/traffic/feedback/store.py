"""Queries of feedback and of the calls that it is about. They take a session and return domain values."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Insert, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from promptuary.core.database import table_of
from promptuary.traffic.counters.store import SeriesHour
from promptuary.traffic.feedback.feedback import CallReference, Feedback, FeedbackCall, FeedbackSource
from promptuary.traffic.tables import FeedbackRow, FeedbackWaitRow, ObservationRow

IN_LIMIT = 400
"""Values in one condition: SQLite binds few enough, and both databases keep the statement's plan."""
T = TypeVar("T")


@dataclass(frozen=True)
class FeedbackFilter:
    """Which feedback is listed.

    Attributes:
        prompt_id: of this prompt.
        version: of this version of it.
        observation: on this call, by any of its names.
        name: of this metric.
        below: with a value below this one.
    """

    prompt_id: int | None = None
    version: int | None = None
    observation: str | None = None
    name: str | None = None
    below: float | None = None


def find_feedback(session: Session, project: int, ids: Collection[str], *, lock: bool = False) -> dict[str, Feedback]:
    """Return stored feedback by id; with `lock`, no other writer changes it until this transaction ends."""
    rows: dict[str, Feedback] = {}
    for part in _parts(sorted(ids)):
        query = select_rows(FeedbackRow).where(FeedbackRow.project_id == project, col(FeedbackRow.id).in_(part))
        query = query.order_by(FeedbackRow.id).execution_options(populate_existing=True)
        rows |= {row.id: _feedback(row) for row in session.exec(query.with_for_update() if lock else query)}
    return rows


def add_feedback(session: Session, project: int, items: Sequence[Feedback]) -> set[str]:
    """Add feedback, and return the ids of what was added: what another writer added before is not."""
    added: set[str] = set()
    for part in _parts(sorted(items, key=lambda item: item.id)):
        values = [{"project_id": project, "id": item.id, **_columns(item)} for item in part]
        statement = _insert(session, FeedbackRow).values(values).on_conflict_do_nothing()
        added |= set(session.scalars(statement.returning(table_of(FeedbackRow).c.id)))
    return added


def update_feedback(session: Session, project: int, item: Feedback) -> None:
    """Replace feedback that is stored under its id."""
    change = update(FeedbackRow).where(col(FeedbackRow.project_id) == project, col(FeedbackRow.id) == item.id)
    session.execute(change.values(_columns(item)))


def list_feedback(
    session: Session, project: int, selected: FeedbackFilter, before: tuple[datetime, str] | None, limit: int
) -> list[Feedback]:
    """Return a page of feedback, the newest first."""
    query = select_rows(FeedbackRow).where(FeedbackRow.project_id == project)
    conditions = {
        "prompt_id": selected.prompt_id,
        "version": selected.version,
        "name": selected.name,
    }
    for name, value in conditions.items():
        if value is not None:
            query = query.where(getattr(FeedbackRow, name) == value)
    if selected.observation is not None:
        is_named = or_(
            col(FeedbackRow.observation_id) == selected.observation, col(FeedbackRow.subject) == selected.observation
        )
        query = query.where(is_named)
    if selected.below is not None:
        query = query.where(col(FeedbackRow.value) < selected.below)
    if before is not None:
        at, last = before
        query = query.where(or_(col(FeedbackRow.at) < at, and_(col(FeedbackRow.at) == at, col(FeedbackRow.id) < last)))
    query = query.order_by(col(FeedbackRow.at).desc(), col(FeedbackRow.id).desc()).limit(limit)
    return [_feedback(row) for row in session.exec(query)]


def feedback_on(session: Session, project: int, observation_ids: Collection[str]) -> list[Feedback]:
    """Return the feedback that is tied to some calls."""
    items: list[Feedback] = []
    for part in _parts(sorted(observation_ids)):
        query = select_rows(FeedbackRow).where(FeedbackRow.project_id == project)
        query = query.where(col(FeedbackRow.observation_id).in_(part)).execution_options(populate_existing=True)
        items += [_feedback(row) for row in session.exec(query)]
    return items


def set_waiting(session: Session, project: int, items: Iterable[Feedback]) -> None:
    """Store that feedback waits for the calls that it names, in place of what it waited for before."""
    listed = list(items)
    for part in _parts([item.id for item in listed]):
        session.execute(
            delete(FeedbackWaitRow).where(
                col(FeedbackWaitRow.project_id) == project, col(FeedbackWaitRow.feedback_id).in_(part)
            )
        )
    values = [
        {"project_id": project, "subject": subject, "feedback_id": item.id}
        for item in listed
        if item.observation_id is None
        for subject in item.reference.subjects
    ]
    for part_of_values in _parts(values):
        session.execute(_insert(session, FeedbackWaitRow).values(part_of_values).on_conflict_do_nothing())


def is_any_waiting(session: Session, project: int) -> bool:
    """Return whether any feedback of a project waits for its call."""
    query = select(col(FeedbackWaitRow.feedback_id)).where(col(FeedbackWaitRow.project_id) == project).limit(1)
    return session.execute(query).first() is not None


def waiting_feedback(session: Session, project: int, subjects: Collection[str]) -> list[Feedback]:
    """Return the feedback that waits under one of some texts."""
    ids: set[str] = set()
    for part in _parts(sorted(subjects)):
        query = select(col(FeedbackWaitRow.feedback_id)).where(col(FeedbackWaitRow.project_id) == project)
        ids |= set(session.scalars(query.where(col(FeedbackWaitRow.subject).in_(part))))
    return list(find_feedback(session, project, ids, lock=True).values())


def find_calls(session: Session, project: int, references: Sequence[CallReference]) -> list[FeedbackCall]:
    """Return the calls that have one of the names or are in one of the traces that some references have."""
    calls: dict[str, FeedbackCall] = {}
    names = sorted({reference.name for reference in references if reference.name is not None})
    for part in _parts(names):
        for column in (ObservationRow.id, ObservationRow.key, ObservationRow.response_id):
            calls |= _calls(session, project, col(column).in_(part))
    traces = sorted({reference.trace_id for reference in references if reference.trace_id is not None})
    for part in _parts(traces):
        calls |= _calls(session, project, col(ObservationRow.trace_id).in_(part))
    return list(calls.values())


def calls_by_id(session: Session, project: int, ids: Collection[str]) -> list[FeedbackCall]:
    """Return calls by the ids of their observations."""
    calls: list[FeedbackCall] = []
    for part in _parts(sorted(ids)):
        calls += _calls(session, project, col(ObservationRow.id).in_(part)).values()
    return calls


def _calls(session: Session, project: int, condition: Any) -> dict[str, FeedbackCall]:
    names = FeedbackCall.__dataclass_fields__
    columns: list[Any] = [
        col(ObservationRow.id),
        *(getattr(ObservationRow, name) for name in names if name != "observation_id"),
    ]
    query: Any = select(*columns).where(col(ObservationRow.project_id) == project, condition)
    calls = [FeedbackCall(**dict(zip(names, row, strict=True))) for row in session.execute(query)]
    return {call.observation_id: call for call in calls}


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + IN_LIMIT] for start in range(0, len(values), IN_LIMIT))


def _insert(session: Session, model: type[SQLModel]) -> Any:
    insert: Callable[[Any], Insert] = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    return insert(table_of(model))


def _columns(item: Feedback) -> dict[str, Any]:
    place = item.place
    return {
        "prompt_id": item.prompt_id,
        "version": item.version,
        "observation_id": item.observation_id,
        "subject": item.reference.name,
        "trace_id": item.reference.trace_id,
        "span_id": item.reference.span_id,
        "name": item.name,
        "value": item.value,
        "label": item.label,
        "comment": item.comment,
        "correction": item.correction,
        "user_hash": item.user_hash,
        "sender": item.sender,
        "source": item.source.value,
        "redacted": item.redacted,
        "at": item.at,
        "created_at": item.created_at,
        "series_id": place.series_id if place else None,
        "hour": place.hour if place else None,
        "is_low": item.is_low,
    }


def _feedback(row: FeedbackRow) -> Feedback:
    counted = row.series_id is not None and row.hour is not None
    return Feedback(
        id=row.id,
        prompt_id=row.prompt_id,
        version=row.version,
        reference=CallReference(name=row.subject, trace_id=row.trace_id, span_id=row.span_id),
        observation_id=row.observation_id,
        name=row.name,
        value=row.value,
        label=row.label,
        comment=row.comment,
        correction=row.correction,
        user_hash=row.user_hash,
        sender=row.sender,
        source=FeedbackSource(row.source),
        redacted=row.redacted,
        at=row.at,
        created_at=row.created_at,
        place=SeriesHour(row.series_id or 0, row.hour or 0) if counted else None,
        is_low=row.is_low,
    )
