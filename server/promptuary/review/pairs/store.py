"""Queries of the sides on which reviewers see the outputs of a pair. They take a session and return domain values."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from promptuary.review.queues.queue import Item, Queue
from promptuary.review.tables import ItemRow, PairSideRow


def find_swapped(session: Session, item: str, reviewer: Sequence[str]) -> bool | None:
    """Return whether a reviewer sees the second output of a pair on the left; None before they have claimed it."""
    query = select(PairSideRow.swapped).where(PairSideRow.item_id == item, col(PairSideRow.reviewer).in_(reviewer))
    return session.exec(query.limit(1)).one_or_none()


def find_counterpart(session: Session, item: Item) -> list[str]:
    """Return the ids of the pairs that repeat this one, or that this one repeats."""
    if item.repeat_of is not None:
        return [item.repeat_of]
    return list(session.exec(select(ItemRow.id).where(ItemRow.repeat_of == item.id)))


def count_sides(session: Session, queue: Queue, reviewer: Sequence[str]) -> tuple[int, int]:
    """Count the pairs of a queue that a reviewer sees in order, and those that they see swapped."""
    query = select(func.count(), func.count().filter(col(PairSideRow.swapped))).select_from(PairSideRow)
    query = query.join(ItemRow, col(ItemRow.id) == col(PairSideRow.item_id))
    pairs, swapped = session.exec(query.where(ItemRow.queue_id == queue.id, col(PairSideRow.reviewer).in_(reviewer))).one()
    return pairs - swapped, swapped


def add_side(session: Session, item: str, reviewer: str, swapped: bool, at: datetime) -> None:
    """Store on which side a reviewer sees the outputs of a pair."""
    session.add(PairSideRow(item_id=item, reviewer=reviewer, swapped=swapped, created_at=at))
    session.flush()
