"""The messages of the outbox that were refused too often: listed, retried or dropped by an operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from promptuary.core.errors import NotFound
from promptuary.core.outbox import OutboxRow

_IS_PARKED = (col(OutboxRow.parked_at).is_not(None), col(OutboxRow.done_at).is_(None))


@dataclass(frozen=True)
class ParkedMessage:
    """A message that is not tried any more.

    Attributes:
        id: its number.
        topic: the receiver.
        payload: the ids of what is to be delivered; no contents.
        attempts: how often it was tried.
        error: of the last try.
        created_at: when its cause was committed.
        parked_at: when it was parked.
    """

    id: int
    topic: str
    payload: Mapping[str, Any]
    attempts: int
    error: str
    created_at: datetime
    parked_at: datetime


def count_parked(session: Session) -> dict[str, int]:
    """Count the parked messages of each topic that has any."""
    query = select(OutboxRow.topic, func.count()).where(*_IS_PARKED)
    return dict(session.exec(query.group_by(OutboxRow.topic).order_by(OutboxRow.topic)).all())


def list_parked(session: Session, after: int | None, limit: int) -> Sequence[ParkedMessage]:
    """Return a page of the parked messages, in the order of their numbers."""
    query = select(OutboxRow).where(*_IS_PARKED)
    query = query.where(col(OutboxRow.id) > (after or 0)).order_by(col(OutboxRow.id)).limit(limit)
    return [_parked_message(row) for row in session.exec(query)]


def retry_parked(session: Session, message: int, at: datetime) -> ParkedMessage:
    """Make a parked message due again, with all its tries.

    Raises:
        NotFound: when no such message is parked.
    """
    row = _require_parked(session, message)
    parked = _parked_message(row)
    row.parked_at, row.attempts, row.due_at = None, 0, at
    session.add(row)
    return parked


def drop_parked(session: Session, message: int, at: datetime) -> ParkedMessage:
    """Drop a parked message: it counts as done, and keeps its error.

    Raises:
        NotFound: when no such message is parked.
    """
    row = _require_parked(session, message)
    parked = _parked_message(row)
    row.done_at = at
    session.add(row)
    return parked


def _require_parked(session: Session, message: int) -> OutboxRow:
    row = session.exec(select(OutboxRow).where(OutboxRow.id == message, *_IS_PARKED).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no message {message} is parked")
    return row


def _parked_message(row: OutboxRow) -> ParkedMessage:
    assert row.id is not None
    assert row.parked_at is not None
    return ParkedMessage(row.id, row.topic, row.payload, row.attempts, row.error or "", row.created_at, row.parked_at)
