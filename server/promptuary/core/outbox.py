"""Messages for Chroma, MLflow or a webhook: written in the transaction of their cause, and delivered later, at least once.

A relay reads the due messages of its topic, passes each to a handler, and marks it done or postpones it with a growing wait.
The handler must be idempotent: a crash between the delivery and the mark delivers the message again.

A receiver that does not answer (`Unavailable`, an `OSError`) makes its topic wait, however long it takes. Any other error is
the message's own: the others are delivered, and after `MAX_TRIES` the message is parked until an operator retries or drops it
(`operations`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, func, insert
from sqlmodel import Column, Field, Session, SQLModel, col, select, update

from promptuary.core.clock import Clock
from promptuary.core.database import Database, UtcDateTime, table_of
from promptuary.core.errors import Unavailable

FIRST_WAIT = timedelta(seconds=1)
MAX_WAIT = timedelta(minutes=5)
CLAIM_DURATION = timedelta(minutes=2)
MAX_TRIES = 6
"""How often a message that its receiver refuses is tried, within half a minute, before it is parked."""


class OutboxRow(SQLModel, table=True):
    """One message on its way to a projection."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "topic", "done_at", "due_at", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    topic: str
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    attempts: int = 0
    error: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    parked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


_RECEIVER_ERRORS = (Unavailable, OSError)
"""The errors of a receiver that does not answer."""
_NEW_MESSAGE = insert(table_of(OutboxRow))


class DeliveryDeferred(Exception):
    """Raised by a handler when this process has no receiver: the message stays due, for a process that has one."""


class DeliveryPostponed(Exception):
    """Raised by a handler that determines itself when its message is due again."""

    def __init__(self, reason: str, wait: timedelta) -> None:
        """Keep the reason and the wait."""
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class RelayResult:
    """What a relay did in one round."""

    delivered: int
    failed: int
    error: str | None = None


def enqueue(session: Session, topic: str, payload: dict[str, Any], at: datetime) -> None:
    """Add a message in the transaction of the session."""
    message = {"topic": topic, "payload": payload, "attempts": 0, "created_at": at, "due_at": at}
    session.connection().execute(_NEW_MESSAGE, message)


def count_pending(session: Session, topic: str) -> int:
    """Count the messages of a topic that will be delivered, but are not yet."""
    query = select(func.count()).select_from(OutboxRow).where(OutboxRow.topic == topic, col(OutboxRow.done_at).is_(None))
    return session.exec(query.where(col(OutboxRow.parked_at).is_(None))).one()


def list_undelivered(session: Session, topic: str) -> list[tuple[dict[str, Any], bool]]:
    """Return the payloads of a topic that are not delivered, the oldest first, and whether the relay has given each up."""
    query = select(OutboxRow).where(OutboxRow.topic == topic, col(OutboxRow.done_at).is_(None)).order_by(col(OutboxRow.id))
    return [(row.payload, row.parked_at is not None) for row in session.exec(query)]


def oldest_pending(session: Session, topic: str) -> datetime | None:
    """Return when the cause of the oldest message of a topic was committed that is to be delivered; None for none."""
    query = select(func.min(OutboxRow.created_at)).where(OutboxRow.topic == topic, col(OutboxRow.done_at).is_(None))
    return session.exec(query.where(col(OutboxRow.parked_at).is_(None))).one()


def relay(
    database: Database, clock: Clock, topic: str, handler: Callable[[dict[str, Any]], None], limit: int = 100
) -> RelayResult:
    """Deliver the due messages, oldest first, outside of any transaction; a receiver that does not answer ends the round.

    Args:
        database: where the messages are.
        clock: returns the present time.
        topic: which messages.
        handler: receives a payload; it may be called again with a payload that it has received before.
        limit: how many messages this round delivers at most.
    """
    delivered, failed, reason = 0, 0, None
    for row in _due_messages(database, clock, topic, limit):
        try:
            handler(row.payload)
        except DeliveryDeferred:
            break
        except _RECEIVER_ERRORS as error:
            reason = _postpone(database, clock, row, error)
            _postpone_topic(database, topic, clock() + _wait_after(row.attempts))
            return RelayResult(delivered, failed + 1, reason)
        except Exception as error:
            failed, reason = failed + 1, _postpone(database, clock, row, error)
            continue
        _mark(database, row, done_at=clock(), error=None)
        delivered += 1
    return RelayResult(delivered, failed, reason)


def relay_independent(
    database: Database, clock: Clock, topic: str, handler: Callable[[dict[str, Any]], None], limit: int = 100
) -> RelayResult:
    """Deliver the due messages to independent receivers: a failure delays only its own message.

    Each message is claimed for two minutes before it is delivered, so that only one of several processes delivers it.
    """
    delivered, failed, reason = 0, 0, None
    for row in _due_messages(database, clock, topic, limit):
        if not _claim(database, row, clock() + CLAIM_DURATION):
            continue
        try:
            handler(row.payload)
        except Exception as error:
            failed, reason = failed + 1, _postpone(database, clock, row, error)
            continue
        _mark(database, row, done_at=clock(), error=None)
        delivered += 1
    return RelayResult(delivered, failed, reason)


def _due_messages(database: Database, clock: Clock, topic: str, limit: int) -> Sequence[OutboxRow]:
    with database.read() as session:
        pending = select(OutboxRow).where(OutboxRow.topic == topic, col(OutboxRow.done_at).is_(None))
        due = pending.where(col(OutboxRow.parked_at).is_(None), OutboxRow.due_at <= clock())
        return session.exec(due.order_by(col(OutboxRow.id)).limit(limit)).all()


def _postpone(database: Database, clock: Clock, row: OutboxRow, error: Exception) -> str:
    """Set a later due time, later after each failure, or park a message that was refused too often; return the error."""
    wait = error.wait if isinstance(error, DeliveryPostponed) else _wait_after(row.attempts)
    reason = f"{type(error).__name__}: {error}"[:500]
    is_refused = not isinstance(error, (*_RECEIVER_ERRORS, DeliveryPostponed))
    parked_at = clock() if is_refused and row.attempts + 1 >= MAX_TRIES else None
    _mark(database, row, attempts=row.attempts + 1, error=reason, due_at=clock() + wait, parked_at=parked_at)
    import structlog  # most processes that enqueue deliver nothing, and its import takes longer than a command

    log = structlog.get_logger(__name__)
    if parked_at is not None:
        log.error("outbox message parked", topic=row.topic, message=row.id, attempts=row.attempts + 1, error=reason)
    else:
        seconds = wait.total_seconds()
        log.warning("outbox delivery failed", topic=row.topic, attempts=row.attempts + 1, wait=seconds, error=reason)
    return reason


def _wait_after(attempts: int) -> timedelta:
    wait: timedelta = FIRST_WAIT * 2 ** min(attempts, 16)
    return min(wait, MAX_WAIT)


def _postpone_topic(database: Database, topic: str, until: datetime) -> None:
    """Make the other messages of a topic wait, too: their receiver does not answer."""
    with database.write() as session:
        waiting = update(OutboxRow).where(col(OutboxRow.topic) == topic, col(OutboxRow.done_at).is_(None))
        session.exec(waiting.where(col(OutboxRow.due_at) < until).values(due_at=until))


def _claim(database: Database, row: OutboxRow, until: datetime) -> bool:
    """Keep a message from other processes until a timestamp; return False when another process was faster."""
    with database.write() as session:
        free = update(OutboxRow).where(col(OutboxRow.id) == row.id, col(OutboxRow.due_at) == row.due_at)
        free = free.where(col(OutboxRow.done_at).is_(None)).values(due_at=until).returning(col(OutboxRow.id))
        return session.execute(free).scalar_one_or_none() is not None


def _mark(database: Database, row: OutboxRow, **values: Any) -> None:
    with database.write() as session:
        session.exec(update(OutboxRow).where(col(OutboxRow.id) == row.id).values(**values))
