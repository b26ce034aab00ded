"""Where decisions are stored, with their comments (`add_decision`). The functions take a session and return domain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select, update

from promptuary.access.contents import TrackedContent
from promptuary.access.identity import shown_name
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_standing, item_from_row
from promptuary.review.tables import DecisionRow, ItemRow


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


def add_decision(session: Session, claim_id: str, item: Item, slots: int, decision: NewDecision) -> Decision | None:
    """Store a decision in one of the item's slots and return it; None when all slots are full."""
    counted = update(ItemRow).where(col(ItemRow.id) == item.id, col(ItemRow.decided) < slots)
    if session.exec(counted.values(decided=ItemRow.decided + 1)).rowcount != 1:
        return None
    row = DecisionRow(item_id=item.id, claim_id=claim_id, **vars(decision))
    session.add(row)
    session.flush()
    return _decision_from_row(session, row, item)


def list_decisions(session: Session, queue: Queue, after: int | None, limit: int) -> list[Decision]:
    """List a queue's decisions in the order in which they were made."""
    query = select(DecisionRow, ItemRow).join(ItemRow, col(ItemRow.id) == col(DecisionRow.item_id))
    query = query.where(ItemRow.queue_id == queue.id, is_standing()).order_by(col(DecisionRow.id)).limit(limit)
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
    query = query.join(DecisionRow, col(DecisionRow.item_id) == col(ItemRow.id)).where(
        ItemRow.queue_id == queue.id, is_standing()
    )
    decisions: dict[str, dict[str, str]] = {}
    for source, reviewer, decision in session.exec(query.order_by(col(ItemRow.place), col(ItemRow.id))):
        decisions.setdefault(source, {})[reviewer] = decision
    return decisions
