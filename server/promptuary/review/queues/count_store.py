"""The counts and the pace of queues, of all that a page lists at once.

No query reads each item of a queue: an index counts them by the number of their decisions, and the others begin at the few
rows that change a count, such as live claims or the reviewer's own decisions.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from promptuary.review.queues.queue import Queue, QueueCounts, QueuePace
from promptuary.review.queues.store import is_available_to, is_decided_by, is_gold_case, is_standing
from promptuary.review.tables import ClaimRow, ClaimState, DecisionRow, GoldCaseRow, ItemRow, QueueRow


def count_items(session: Session, queues: Sequence[Queue], reviewer: Sequence[str], now: datetime) -> dict[int, QueueCounts]:
    """Return for each queue, by its id, how many items are in which state, for all and for one reviewer."""
    ids = [queue.id for queue in queues]
    by_decisions = _count_by_decisions(session, ids)
    gold = _count_gold(session, ids)
    claimed = _count_claimed(session, ids, now)
    mine, mine_open = _count_mine(session, ids, reviewer), _count_mine_open(session, ids, reviewer)
    blocked = _count_blocked_repetitions(session, ids, reviewer)
    counts = {}
    for queue in queues:
        decided = by_decisions.get(queue.id, {})
        items = sum(decided.values())
        closed = sum(number for decisions, number in decided.items() if decisions >= queue.slots) + gold.get(queue.id, 0)
        left = items - closed - mine_open.get(queue.id, 0) - blocked.get(queue.id, 0)
        live, own = claimed.get(queue.id, 0), mine.get(queue.id, 0)
        counts[queue.id] = QueueCounts(items, closed, items - closed, live, own, left)
    return counts


def read_pace(session: Session, queues: Sequence[Queue], now: datetime) -> dict[int, QueuePace]:
    """Return for each queue, by its id, the decisions of the last hour and day, without those that were undone."""
    in_the_hour = func.count().filter(col(DecisionRow.at) > now - timedelta(hours=1))
    query: Any = (
        select(DecisionRow.queue_id, func.count(), in_the_hour, func.count(col(DecisionRow.reviewer).distinct()))
        .where(col(DecisionRow.queue_id).in_([queue.id for queue in queues]))
        .where(col(DecisionRow.at) > now - timedelta(days=1), is_standing())
        .group_by(col(DecisionRow.queue_id))
    )
    paces = {queue: QueuePace(hour, day, reviewers) for queue, day, hour, reviewers in session.exec(query)}
    return {queue.id: paces.get(queue.id, QueuePace(0, 0, 0)) for queue in queues}


def _count_by_decisions(session: Session, queues: Sequence[int]) -> dict[int, dict[int, int]]:
    query = select(ItemRow.queue_id, ItemRow.decided, func.count()).where(col(ItemRow.queue_id).in_(queues))
    counts: dict[int, dict[int, int]] = {queue: {} for queue in queues}
    for queue, decided, number in session.exec(query.group_by(col(ItemRow.queue_id), col(ItemRow.decided))):
        counts[queue][decided] = number
    return counts


def _count_gold(session: Session, queues: Sequence[int]) -> dict[int, int]:
    """Count the items with free slots whose case is gold, which nobody decides any more."""
    keys = (
        select(GoldCaseRow.case_key)
        .join(QueueRow, col(QueueRow.project_id) == col(GoldCaseRow.project_id))
        .where(col(QueueRow.id).in_(queues), col(GoldCaseRow.case_key).is_not(None))
    )
    query = (
        select(ItemRow.queue_id, func.count())
        .join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
        .where(col(ItemRow.queue_id).in_(queues), col(ItemRow.case_key).in_(keys))
        .where(col(ItemRow.decided) + 0 < col(QueueRow.slots), is_gold_case())
    )
    return dict(session.exec(query.group_by(col(ItemRow.queue_id))).all())


def _count_claimed(session: Session, queues: Sequence[int], now: datetime) -> dict[int, int]:
    """Count the live claims. The sum keeps SQLite, which has no statistics, from beginning at the items of a queue."""
    query = (
        select(ItemRow.queue_id, func.count())
        .select_from(ClaimRow)
        .join(ItemRow, col(ItemRow.id) == col(ClaimRow.item_id))
        .where(ClaimRow.state == ClaimState.LEASED, ClaimRow.lease_until > now, (col(ItemRow.queue_id) + 0).in_(queues))
    )
    return dict(session.exec(query.group_by(col(ItemRow.queue_id))).all())


def _count_mine(session: Session, queues: Sequence[int], reviewer: Sequence[str]) -> dict[int, int]:
    query = select(DecisionRow.queue_id, func.count()).where(col(DecisionRow.reviewer).in_(reviewer))
    query = query.where(col(DecisionRow.queue_id).in_(queues), is_standing())
    return dict(session.exec(query.group_by(col(DecisionRow.queue_id))).all())


def _count_mine_open(session: Session, queues: Sequence[int], reviewer: Sequence[str]) -> dict[int, int]:
    """Count the items that the reviewer has decided and others may decide still: none where an item has one slot."""
    query = (
        select(ItemRow.queue_id, func.count())
        .join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
        .where(col(ItemRow.queue_id).in_(queues), col(ItemRow.decided) > 0, col(ItemRow.decided) < col(QueueRow.slots))
        .where(~is_gold_case(), is_decided_by(reviewer))
    )
    return dict(session.exec(query.group_by(col(ItemRow.queue_id))).all())


def _count_blocked_repetitions(session: Session, queues: Sequence[int], reviewer: Sequence[str]) -> dict[int, int]:
    """Count the open pairs that wait until the reviewer has decided the pairs that they repeat."""
    query = (
        select(ItemRow.queue_id, func.count())
        .join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
        .where(col(ItemRow.queue_id).in_(queues), col(ItemRow.repeat_of).is_not(None))
        .where(col(ItemRow.decided) + 0 < col(QueueRow.slots), ~is_gold_case())
        .where(~is_decided_by(reviewer), ~is_available_to(reviewer))
    )
    return dict(session.exec(query.group_by(col(ItemRow.queue_id))).all())
