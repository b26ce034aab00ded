"""Where decisions are stored, with their comments (`add_decision`); queries of queues, items and decisions.

The functions take a session and return domain values. Names are scoped by project.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, String, cast, exists, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from promptuary.access.contents import TrackedContent, track_content
from promptuary.access.identity import shown_name
from promptuary.prompt.name import is_name
from promptuary.review.choice import Choice
from promptuary.review.tables import ClaimRow, DecisionRow, ItemRow, QueueRow

_ERASED_PARTS = ("output", "messages", "passages", "error")


class ClaimState(StrEnum):
    """The state of a claim. An expired lease changes no state: the claim stays `leased` with an end in the past."""

    LEASED = "leased"  # the reviewer has the item, until the lease ends
    SUBMITTED = "submitted"  # the reviewer has decided
    SKIPPED = "skipped"  # the reviewer skipped it, and gets it again when no other item is left
    RELEASED = "released"  # the reviewer released it, as if it had never been claimed


@dataclass(frozen=True)
class Queue:
    """A queue: its instructions, its choices, and the number of reviewers for each item (`slots`)."""

    id: int
    name: str
    instructions: str
    choices: tuple[Choice, ...]
    slots: int
    created_at: datetime


@dataclass(frozen=True)
class QueueDefinition:
    """What a project's member decides about a queue; the fields mean the same as those of `Queue`."""

    name: str
    instructions: str
    choices: tuple[Choice, ...]
    slots: int


@dataclass(frozen=True)
class QueueCounts:
    """The progress of a queue.

    `closed` counts the items with all their decisions, `mine` one reviewer's decisions, `left` the open items that they have
    not decided.
    """

    items: int
    closed: int
    open: int
    claimed: int
    mine: int
    left: int


@dataclass(frozen=True)
class Item:
    """An item to decide on, and how many decisions it has."""

    id: str
    source: str
    probability: float
    stored_payload: TrackedContent[dict[str, Any]]
    decision_count: int

    @property
    def payload(self) -> dict[str, Any]:
        """What the reviewer sees; reading it is noted in the transaction, see `promptuary.access.contents`."""
        return self.stored_payload.read()


@dataclass(frozen=True)
class Claim:
    """An item leased to one reviewer; it does not contain the decisions of others."""

    id: str
    queue: str
    item: Item
    nonce: str
    state: ClaimState
    lease_until: datetime

    def is_live(self, now: datetime) -> bool:
        """Return whether the lease is still valid."""
        return self.state is ClaimState.LEASED and now < self.lease_until


@dataclass(frozen=True)
class NewDecision:
    """A decision to store: who decided what, and when."""

    reviewer: str
    decision: str
    comment: str
    at: datetime


@dataclass(frozen=True)
class Decision:
    """A reviewer's decision, with its item. `reviewer` is the name that people see, `reviewer_id` what the row contains."""

    id: int
    claim: str
    item: str
    source: str
    probability: float
    stored_payload: TrackedContent[dict[str, Any]]
    reviewer: str
    reviewer_id: str
    decision: str
    comment: str
    at: datetime

    @property
    def payload(self) -> dict[str, Any]:
        """What the reviewer saw; reading it is noted as for `Item`."""
        return self.stored_payload.read()


def find_queue(session: Session, project: int, name: str, *, lock: bool = False) -> Queue | None:
    """Return a queue, or None; with `lock`, no other transaction claims or decides in it until this one ends."""
    query = select(QueueRow).where(QueueRow.project_id == project, QueueRow.name == name)
    if lock:  # populate_existing: what this session read before the lock may have changed
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).one_or_none()
    return _queue_from_row(row) if row else None


def list_queues(session: Session, project: int, after: str | None, limit: int) -> list[Queue]:
    """List queues by name."""
    query = select(QueueRow).where(QueueRow.project_id == project).order_by(QueueRow.name).limit(limit)
    if after is not None:
        query = query.where(QueueRow.name > after)
    return [_queue_from_row(row) for row in session.exec(query)]


def add_queue(session: Session, project: int, definition: QueueDefinition, at: datetime) -> bool:
    """Store a new queue and return True; return False when another transaction has created one of that name."""
    row = QueueRow(project_id=project, created_at=at, name=definition.name, **_columns(definition))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def update_queue(session: Session, queue: Queue, definition: QueueDefinition) -> None:
    """Change the instructions, choices and slots of a queue."""
    session.exec(update(QueueRow).where(col(QueueRow.id) == queue.id).values(**_columns(definition)))


def _columns(definition: QueueDefinition) -> dict[str, Any]:
    decisions = [vars(choice) for choice in definition.choices]
    return {"instructions": definition.instructions, "decisions": decisions, "slots": definition.slots}


def _queue_from_row(row: QueueRow) -> Queue:
    choices = tuple(Choice(**choice) for choice in row.decisions)
    return Queue(row.id or 0, row.name, row.instructions, choices, row.slots, row.created_at)


def count_items(session: Session, queue: Queue, reviewer: Sequence[str], now: datetime) -> QueueCounts:
    """Count a queue's items and live claims, and the items that the reviewer has decided and may still decide."""
    in_queue = ItemRow.queue_id == queue.id
    is_closed = col(ItemRow.decided) >= queue.slots
    items, closed = session.exec(
        select(func.count(), func.count().filter(is_closed)).select_from(ItemRow).where(in_queue)
    ).one()
    claimed = session.exec(
        select(func.count())
        .select_from(ClaimRow)
        .join(ItemRow, col(ItemRow.id) == col(ClaimRow.item_id))
        .where(in_queue, ClaimRow.state == ClaimState.LEASED, ClaimRow.lease_until > now)
    ).one()
    mine = session.exec(
        select(func.count())
        .select_from(DecisionRow)
        .join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
        .where(in_queue, col(DecisionRow.reviewer).in_(reviewer))
    ).one()
    left = session.exec(select(func.count()).select_from(ItemRow).where(in_queue, ~is_closed, ~is_decided_by(reviewer))).one()
    return QueueCounts(items, closed, items - closed, claimed, mine, left)


def find_used_decisions(session: Session, queue: Queue) -> tuple[set[str], int]:
    """Return the values that were decided so far, and the largest number of decisions on one item."""
    query = select(DecisionRow.decision).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    values = session.exec(query.where(ItemRow.queue_id == queue.id).distinct()).all()
    most = session.exec(select(func.max(ItemRow.decided)).where(ItemRow.queue_id == queue.id)).one()
    return set(values), most or 0


def find_known_sources(session: Session, queue: Queue, sources: list[str]) -> set[str]:
    """Return those of the sources that the queue has already."""
    query = select(ItemRow.source).where(ItemRow.queue_id == queue.id, col(ItemRow.source).in_(sources))
    return set(session.exec(query))


def add_items(session: Session, queue: Queue, items: Iterable[Item], at: datetime) -> None:
    """Append items to the queue in their order."""
    last = session.exec(select(func.max(ItemRow.place)).where(ItemRow.queue_id == queue.id)).one()
    for place, item in enumerate(items, start=(last or 0) + 1):
        row = ItemRow(queue_id=queue.id, place=place, created_at=at, id=item.id, source=item.source, payload=item.payload)
        row.probability, row.decided = item.probability, item.decision_count
        session.add(row)
    session.flush()


def erase_items(session: Session, project: int, prompt: str, version: int) -> int:
    """Clear the outputs and rendered inputs of the items that were made from a version; return how many there are."""
    queues = select(QueueRow.id).where(QueueRow.project_id == project)
    name = cast(ItemRow.payload, String).contains(f'"{prompt}"', autoescape=True)
    count = 0
    for row in session.exec(select(ItemRow).where(col(ItemRow.queue_id).in_(queues), name)).all():
        if row.payload.get("prompt") == prompt and row.payload.get("version") == version:
            row.payload = {key: None if key in _ERASED_PARTS else value for key, value in row.payload.items()} | {
                "erased": True
            }
            session.add(row)
            count += 1
    session.flush()
    return count


def is_decided_by(reviewer: Sequence[str]) -> ColumnElement[bool]:
    """Return the SQL condition that the reviewer has decided an item; for a query over items."""
    return exists().where(col(DecisionRow.item_id) == ItemRow.id, col(DecisionRow.reviewer).in_(reviewer))


def item_from_row(session: Session, row: ItemRow) -> Item:
    """Return the domain value of a row. The payload of an item from a run contains the version that the run evaluated."""
    prompt, version = row.payload.get("prompt"), row.payload.get("version")
    if isinstance(prompt, str) and is_name(prompt) and isinstance(version, int) and 0 < version < 2**31:
        payload = track_content(session, row.payload, prompt, int(version))
    else:
        payload = TrackedContent(row.payload)
    return Item(row.id, row.source, row.probability, payload, row.decided)


def add_decision(session: Session, claim: Claim, slots: int, decision: NewDecision) -> Decision | None:
    """Store a decision in one of the item's slots and return it; None when all slots are full."""
    counted = update(ItemRow).where(col(ItemRow.id) == claim.item.id, col(ItemRow.decided) < slots)
    if session.exec(counted.values(decided=ItemRow.decided + 1)).rowcount != 1:
        return None
    row = DecisionRow(item_id=claim.item.id, claim_id=claim.id, **vars(decision))
    session.add(row)
    session.flush()
    return _decision_from_row(session, row, claim.item)


def list_decisions(session: Session, queue: Queue, after: int | None, limit: int) -> list[Decision]:
    """List a queue's decisions in the order in which they were made."""
    query = select(DecisionRow, ItemRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id).order_by(col(DecisionRow.id)).limit(limit)
    if after is not None:
        query = query.where(col(DecisionRow.id) > after)
    return [_decision_from_row(session, row, item_from_row(session, item)) for row, item in session.exec(query)]


def _decision_from_row(session: Session, row: DecisionRow, item: Item) -> Decision:
    return Decision(
        id=row.id or 0,
        claim=row.claim_id,
        item=item.id,
        source=item.source,
        probability=item.probability,
        stored_payload=item.stored_payload,
        reviewer=shown_name(session, row.reviewer),
        reviewer_id=row.reviewer,
        decision=row.decision,
        comment=row.comment,
        at=row.at,
    )


def list_decisions_by_source(session: Session, queue: Queue) -> dict[str, dict[str, str]]:
    """Return every decision by source and reviewer, the sources in the order of the queue."""
    query = select(ItemRow.source, DecisionRow.reviewer, DecisionRow.decision)
    query = query.join(DecisionRow, col(DecisionRow.item_id) == col(ItemRow.id)).where(ItemRow.queue_id == queue.id)
    decisions: dict[str, dict[str, str]] = {}
    for source, reviewer, decision in session.exec(query.order_by(col(ItemRow.place), col(ItemRow.id))):
        decisions.setdefault(source, {})[reviewer] = decision
    return decisions
