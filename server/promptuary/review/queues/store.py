"""Queries of queues and their items. They take a session and return domain values; names are scoped by project."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, exists, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from promptuary.access.contents import TrackedContent, track_content
from promptuary.prompt.name import is_name
from promptuary.review.queues.choice import Choice
from promptuary.review.queues.queue import Item, Queue, QueueCounts, QueueDefinition
from promptuary.review.tables import ClaimRow, ClaimState, DecisionRow, ItemRow, QueueRow, UndoRow

_ERASED_PARTS = ("output", "messages", "passages", "error")


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
    return {
        "instructions": definition.instructions,
        "decisions": [vars(choice) for choice in definition.choices],
        "slots": definition.slots,
        "reviewers": list(definition.reviewers),
        "adjudicators": list(definition.adjudicators),
        "blind": list(definition.revealed),
        "due_at": definition.due_at,
        "undo_seconds": definition.undo_seconds,
        "source": definition.source,
        "swap_share": definition.swap_share,
    }


def _queue_from_row(row: QueueRow) -> Queue:
    return Queue(
        id=row.id or 0,
        name=row.name,
        instructions=row.instructions,
        choices=tuple(Choice(**choice) for choice in row.decisions),
        slots=row.slots,
        schema_number=row.schema_number,
        reviewers=tuple(row.reviewers or ()),
        adjudicators=tuple(row.adjudicators or ()),
        revealed=tuple(row.blind or ()),
        due_at=row.due_at,
        undo_seconds=row.undo_seconds,
        source=row.source,
        swap_share=row.swap_share,
        created_at=row.created_at,
    )


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
        .where(in_queue, col(DecisionRow.reviewer).in_(reviewer), is_standing())
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
        row.probability, row.decided, row.selection = item.probability, item.decision_count, item.selection
        row.pair_sides, row.repeat_of, row.gold = item.pair_sides, item.repeat_of, item.gold
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


def is_standing() -> ColumnElement[bool]:
    """Return the SQL condition that a decision was not undone; for a query over decisions."""
    return ~exists().where(col(UndoRow.decision_id) == col(DecisionRow.id))


def is_decided_by(reviewer: Sequence[str]) -> ColumnElement[bool]:
    """Return the SQL condition that the reviewer has decided an item; for a query over items."""
    return exists().where(col(DecisionRow.item_id) == ItemRow.id, col(DecisionRow.reviewer).in_(reviewer), is_standing())


def item_from_row(session: Session, row: ItemRow) -> Item:
    """Return the domain value of a row. The payload of an item from a run contains the version that the run evaluated."""
    prompt, version = row.payload.get("prompt"), row.payload.get("version")
    if isinstance(prompt, str) and is_name(prompt) and isinstance(version, int) and 0 < version < 2**31:
        payload = track_content(session, row.payload, prompt, int(version))
    else:
        payload = TrackedContent(row.payload)
    return Item(
        id=row.id,
        source=row.source,
        probability=row.probability,
        stored_payload=payload,
        decision_count=row.decided,
        selection=row.selection,
        pair_sides=row.pair_sides,
        repeat_of=row.repeat_of,
        gold=row.gold,
    )
