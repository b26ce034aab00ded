"""Queries of events: a session in, domain values out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert
from sqlmodel import Session, col, func, select, update

from promptuary.access.store import next_revision
from promptuary.core.database import table_of
from promptuary.registry.events.event import EventKind, PromptEvent
from promptuary.registry.store import PromptRecord
from promptuary.registry.tables import EventRow, PromptRow

_PROMPT = table_of(PromptRow)
_NEW_EVENT = insert(table_of(EventRow))
_SET_REVISION = update(_PROMPT).where(_PROMPT.c.id == bindparam("prompt")).values(revision=bindparam("to"))


def add_event(session: Session, project: int, prompt: int, kind: EventKind, detail: dict[str, Any], at: datetime) -> int:
    """Add an event under the project's next revision, and return the revision.

    It becomes the prompt's revision, too. The project's row stays locked until the transaction ends.
    """
    revision = next_revision(session, project)
    connection = session.connection()
    event = {"project_id": project, "revision": revision, "kind": kind, "prompt_id": prompt, "detail": detail, "at": at}
    connection.execute(_NEW_EVENT, event)
    connection.execute(_SET_REVISION, {"prompt": prompt, "to": revision})
    return revision


def list_events(session: Session, project: int, after: int, limit: int) -> list[PromptEvent]:
    """Return a project's events after a revision, the oldest first."""
    query = select(EventRow, PromptRow.name).join(PromptRow, col(PromptRow.id) == EventRow.prompt_id)
    query = query.where(EventRow.project_id == project, EventRow.revision > after).order_by(col(EventRow.revision))
    return [_event(row, name) for row, name in session.exec(query.limit(limit))]


def changed_since(session: Session, project: int, after: int) -> dict[str, int]:
    """Return the names of the prompts with an event after a revision, each with the revision of its last event."""
    query = select(PromptRow.name, func.max(EventRow.revision)).join(PromptRow, col(PromptRow.id) == EventRow.prompt_id)
    query = query.where(EventRow.project_id == project, EventRow.revision > after).group_by(PromptRow.name)
    return dict(session.exec(query).all())


def events_of(
    session: Session, prompt: PromptRecord, before: int | None, limit: int | None, kinds: Sequence[EventKind] = tuple(EventKind)
) -> list[PromptEvent]:
    """Return a page of a prompt's events of some kinds, the newest first."""
    query = select(EventRow).where(EventRow.prompt_id == prompt.id, col(EventRow.kind).in_(kinds))
    if before is not None:
        query = query.where(EventRow.revision < before)
    rows = session.exec(query.order_by(col(EventRow.revision).desc()).limit(limit))
    return [_event(row, prompt.name) for row in rows]


def last_event(
    session: Session, prompt: PromptRecord, at: datetime, kinds: Sequence[EventKind] = tuple(EventKind)
) -> PromptEvent | None:
    """Return the last event of a prompt, of some kinds, at or before a time."""
    query = select(EventRow).where(EventRow.prompt_id == prompt.id, EventRow.at <= at, col(EventRow.kind).in_(kinds))
    row = session.exec(query.order_by(col(EventRow.revision).desc()).limit(1)).one_or_none()
    return _event(row, prompt.name) if row else None


def events_until(session: Session, prompt: PromptRecord, at: datetime, kinds: Sequence[EventKind]) -> list[PromptEvent]:
    """Return a prompt's events of some kinds at or before a time, the oldest first."""
    query = select(EventRow).where(EventRow.prompt_id == prompt.id, EventRow.at <= at, col(EventRow.kind).in_(kinds))
    return [_event(row, prompt.name) for row in session.exec(query.order_by(col(EventRow.revision)))]


def _event(row: EventRow, prompt: str) -> PromptEvent:
    return PromptEvent(row.revision, EventKind(row.kind), prompt, row.detail, row.at)
