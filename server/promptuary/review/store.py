"""Queries of the review: a session in, domain values out. What is asked by name is scoped by the project."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import Session, col, select, update

from promptuary.review.choice import Choice
from promptuary.review.tables import ClaimRow, DecisionRow, ItemRow, QueueRow


class ClaimState(StrEnum):
    """Where a claim stands. A lease that has run out changes no state: it is `leased` and in the past."""

    LEASED = "leased"  # the reviewer has the item, until the lease ends
    SUBMITTED = "submitted"  # the reviewer has decided
    SKIPPED = "skipped"  # the reviewer left it; it comes to them again when nothing else is left
    RELEASED = "released"  # the reviewer gave it back as if never taken


@dataclass(frozen=True)
class Queue:
    """A queue: what is asked, and how many reviewers decide each item."""

    id: int
    name: str
    instructions: str
    choices: tuple[Choice, ...]
    slots: int
    created_at: datetime


@dataclass(frozen=True)
class QueueCounts:
    """A queue's items as they stand now; `mine` and `left` are the asking reviewer's own."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int


@dataclass(frozen=True)
class Item:
    """Something to decide on."""

    id: str
    source: str
    probability: float
    payload: dict[str, Any]
    decided: int


@dataclass(frozen=True)
class Claim:
    """An item in one reviewer's hands; others' decisions are not in it."""

    id: str
    queue: str
    item: Item
    nonce: str
    state: ClaimState
    lease_until: datetime

    def live(self, now: datetime) -> bool:
        """Tell whether the item is still this reviewer's."""
        return self.state is ClaimState.LEASED and now < self.lease_until


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided, with what it was about."""

    id: int
    claim: str
    item: str
    source: str
    probability: float
    payload: dict[str, Any]
    reviewer: str
    decision: str
    comment: str
    at: datetime


def find_queue(session: Session, project: int, name: str, *, lock: bool = False) -> Queue | None:
    """Find a queue; with `lock`, no other transaction claims or decides in it until this one ends."""
    query = select(QueueRow).where(QueueRow.project_id == project, QueueRow.name == name)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    return _queue_from_row(row) if row else None


def list_queues(session: Session, project: int, after: str | None, limit: int) -> list[Queue]:
    """List queues by name."""
    query = select(QueueRow).where(QueueRow.project_id == project).order_by(QueueRow.name).limit(limit)
    if after is not None:
        query = query.where(QueueRow.name > after)
    return [_queue_from_row(row) for row in session.exec(query)]


def put_queue(
    session: Session, project: int, name: str, instructions: str, choices: Iterable[Choice], slots: int, at: datetime
) -> None:
    """Make a queue, or change what it asks."""
    query = select(QueueRow).where(QueueRow.project_id == project, QueueRow.name == name)
    decisions = [vars(choice) for choice in choices]
    row = session.exec(query).one_or_none() or QueueRow(project_id=project, name=name, decisions=decisions, created_at=at)
    row.instructions, row.decisions, row.slots = instructions, decisions, slots
    session.add(row)
    session.flush()


def _queue_from_row(row: QueueRow) -> Queue:
    choices = tuple(Choice(**choice) for choice in row.decisions)
    return Queue(row.id or 0, row.name, row.instructions, choices, row.slots, row.created_at)


def count_items(session: Session, queue: Queue, reviewer: str, now: datetime) -> QueueCounts:
    """Count a queue's items, its live claims, and what the reviewer has done and may still do."""
    here = ItemRow.queue_id == queue.id
    closed = col(ItemRow.decided) >= queue.slots
    items, decided = session.exec(select(func.count(), func.count().filter(closed)).select_from(ItemRow).where(here)).one()
    claimed = session.exec(
        select(func.count())
        .select_from(ClaimRow)
        .join(ItemRow, col(ItemRow.id) == col(ClaimRow.item_id))
        .where(here, ClaimRow.state == ClaimState.LEASED, ClaimRow.lease_until > now)
    ).one()
    mine = session.exec(
        select(func.count())
        .select_from(DecisionRow)
        .join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
        .where(here, DecisionRow.reviewer == reviewer)
    ).one()
    left = session.exec(select(func.count()).select_from(ItemRow).where(here, ~closed, ~is_decided_by(reviewer))).one()
    return QueueCounts(items, decided, items - decided, claimed, mine, left)


def find_used_decisions(session: Session, queue: Queue) -> tuple[set[str], int]:
    """Give the values that were decided so far, and the most decisions that an item has."""
    query = select(DecisionRow.decision).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    values = session.exec(query.where(ItemRow.queue_id == queue.id).distinct()).all()
    most = session.exec(select(func.max(ItemRow.decided)).where(ItemRow.queue_id == queue.id)).one()
    return set(values), most or 0


def find_known_sources(session: Session, queue: Queue, sources: list[str]) -> set[str]:
    """Tell which of these sources the queue has already."""
    query = select(ItemRow.source).where(ItemRow.queue_id == queue.id, col(ItemRow.source).in_(sources))
    return set(session.exec(query))


def add_items(session: Session, queue: Queue, items: Iterable[Item], at: datetime) -> None:
    """Put items behind those that are there, in their order."""
    last = session.exec(select(func.max(ItemRow.place)).where(ItemRow.queue_id == queue.id)).one()
    for place, item in enumerate(items, start=(last or 0) + 1):
        session.add(ItemRow(queue_id=queue.id, place=place, created_at=at, **vars(item)))
    session.flush()


def is_decided_by(reviewer: str) -> ColumnElement[bool]:
    """Say that the reviewer has decided an item; for a query over items."""
    return exists().where(col(DecisionRow.item_id) == ItemRow.id, col(DecisionRow.reviewer) == reviewer)


def item_from_row(row: ItemRow) -> Item:
    """Make the domain's value of a row."""
    return Item(row.id, row.source, row.probability, row.payload, row.decided)


def add_decision(
    session: Session, claim: Claim, slots: int, reviewer: str, decision: str, comment: str, at: datetime
) -> Decision | None:
    """Fill one of the item's slots; None when all are full."""
    counted = update(ItemRow).where(col(ItemRow.id) == claim.item.id, col(ItemRow.decided) < slots)
    if session.exec(counted.values(decided=ItemRow.decided + 1)).rowcount != 1:
        return None
    row = DecisionRow(item_id=claim.item.id, claim_id=claim.id, reviewer=reviewer, decision=decision, comment=comment, at=at)
    session.add(row)
    session.flush()
    return _decision_from_row(row, claim.item)


def list_decisions(session: Session, queue: Queue, after: int | None, limit: int) -> list[Decision]:
    """List a queue's decisions in the order in which they were made."""
    query = select(DecisionRow, ItemRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id).order_by(col(DecisionRow.id)).limit(limit)
    if after is not None:
        query = query.where(col(DecisionRow.id) > after)
    return [_decision_from_row(row, item_from_row(item)) for row, item in session.exec(query)]


def _decision_from_row(row: DecisionRow, item: Item) -> Decision:
    return Decision(
        id=row.id or 0,
        claim=row.claim_id,
        item=item.id,
        source=item.source,
        probability=item.probability,
        payload=item.payload,
        reviewer=row.reviewer,
        decision=row.decision,
        comment=row.comment,
        at=row.at,
    )


def list_decisions_by_source(session: Session, queue: Queue) -> dict[str, dict[str, str]]:
    """Give every decision by source and reviewer, the sources in the order of the queue."""
    query = select(ItemRow.source, DecisionRow.reviewer, DecisionRow.decision)
    query = query.join(DecisionRow, col(DecisionRow.item_id) == col(ItemRow.id)).where(ItemRow.queue_id == queue.id)
    found: dict[str, dict[str, str]] = {}
    for source, reviewer, decision in session.exec(query.order_by(col(ItemRow.place), col(ItemRow.id))):
        found.setdefault(source, {})[reviewer] = decision
    return found
