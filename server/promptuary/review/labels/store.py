"""Where decisions are stored, with their comments (`add_decision`). The functions take a session and return domain values."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, or_
from sqlmodel import Session, col, select, update

from promptuary.access.identity import shown_name
from promptuary.review.labels.decision import Decision, NewDecision, OthersLabels, OwnDecisions
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_standing, item_from_row
from promptuary.review.tables import AdjudicationRow, DecisionRow, GoldCaseRow, ItemRow, QueueRow, UndoRow


def add_decision(session: Session, queue: Queue, claim_id: str, item: Item, decision: NewDecision) -> Decision | None:
    """Store a decision in one of the slots of a queue's item and return it; None when all slots are full."""
    counted = update(ItemRow).where(col(ItemRow.id) == item.id, col(ItemRow.decided) < queue.slots)
    if session.exec(counted.values(decided=ItemRow.decided + 1)).rowcount != 1:
        return None
    earlier = select(func.count()).where(DecisionRow.item_id == item.id, DecisionRow.reviewer == decision.reviewer)
    attempt = session.exec(earlier).one()
    row = DecisionRow(queue_id=queue.id, item_id=item.id, claim_id=claim_id, attempt=attempt, **vars(decision))
    session.add(row)
    session.flush()
    return decision_from_row(session, row, item)


def list_decisions(session: Session, queue: Queue, after: int | None, limit: int) -> list[Decision]:
    """List a queue's decisions in the order in which they were made."""
    query = select(DecisionRow, ItemRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id, is_standing()).order_by(col(DecisionRow.id)).limit(limit)
    if after is not None:
        query = query.where(col(DecisionRow.id) > after)
    return [decision_from_row(session, row, item_from_row(session, item)) for row, item in session.exec(query)]


def find_decision(session: Session, project: int, decision: int) -> tuple[Decision, str] | None:
    """Return a decision with its queue's name, or None; one that was undone, too."""
    query = select(DecisionRow, ItemRow, QueueRow.name).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
    row = session.exec(query.where(QueueRow.project_id == project, DecisionRow.id == decision)).one_or_none()
    return (decision_from_row(session, row[0], item_from_row(session, row[1])), row[2]) if row else None


def list_own_decisions(session: Session, own: OwnDecisions, before: int | None, limit: int) -> list[tuple[Decision, str]]:
    """List a reviewer's decisions that were not undone, the newest first, each with its queue's name."""
    query = select(DecisionRow, ItemRow, QueueRow.name).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
    query = query.where(QueueRow.project_id == own.project, col(DecisionRow.reviewer).in_(own.reviewer), is_standing())
    if own.queue is not None:
        query = query.where(QueueRow.name == own.queue)
    if before is not None:
        query = query.where(col(DecisionRow.id) < before)
    rows = session.exec(query.order_by(col(DecisionRow.id).desc()).limit(limit))
    return [(decision_from_row(session, row, item_from_row(session, item)), queue) for row, item, queue in rows]


def list_others(session: Session, item: str, reviewer: Sequence[str]) -> list[OthersLabels]:
    """List what others decided about an item, in the order of their decisions."""
    query = select(DecisionRow).where(DecisionRow.item_id == item, col(DecisionRow.reviewer).not_in(reviewer), is_standing())
    rows = session.exec(query.order_by(col(DecisionRow.id)))
    return [OthersLabels(row.decision, row.labels or {}, row.comment) for row in rows]


def is_undone(session: Session, decision: int) -> bool:
    """Return whether a decision was undone."""
    return session.get(UndoRow, decision) is not None


def is_relied_on(session: Session, decision: Decision) -> bool:
    """Return whether the item was adjudicated after the decision, or the decision became a gold case."""
    settled = exists().where(col(AdjudicationRow.item_id) == decision.item, col(AdjudicationRow.at) >= decision.at)
    gold = exists().where(col(GoldCaseRow.decision_id) == decision.id)
    return bool(session.exec(select(or_(settled, gold))).one())


def undo_decision(session: Session, decision: Decision, at: datetime) -> None:
    """Mark a decision as undone, which frees the item's slot."""
    session.add(UndoRow(decision_id=decision.id, at=at))
    session.exec(update(ItemRow).where(col(ItemRow.id) == decision.item).values(decided=ItemRow.decided - 1))
    session.flush()


def decision_from_row(session: Session, row: DecisionRow, item: Item) -> Decision:
    """Return the domain value of a row, with its item."""
    return Decision(
        id=row.id or 0,
        claim=row.claim_id,
        item=item.id,
        source=item.source,
        probability=item.probability,
        selection=item.selection,
        stored_payload=item.stored_payload,
        pair_sides=item.pair_sides,
        reviewer=shown_name(session, row.reviewer),
        reviewer_id=row.reviewer,
        decision=row.decision,
        comment=row.comment,
        labels=row.labels or {},
        correction=row.correction,
        schema_number=row.schema_number,
        swapped=row.swapped,
        seen_at=row.seen_at,
        at=row.at,
    )
