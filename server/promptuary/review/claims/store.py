"""Queries of claims: the next item, the live claim and the end of a claim. They take a session and return domain values.

A reviewer is passed as the identities that rows may contain for them: one, and the former one of a key of an earlier release.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func
from sqlmodel import Session, col, select, update

from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_decided_by, item_from_row
from promptuary.review.tables import ClaimRow, ClaimState, ItemRow, QueueRow


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


def find_next_item(session: Session, queue: Queue, reviewer: Sequence[str], now: datetime) -> Item | None:
    """Return the first item with a free slot that the reviewer has not decided; a skipped one only when no other is left."""
    live_claims = (
        select(func.count())
        .select_from(ClaimRow)
        .where(ClaimRow.item_id == ItemRow.id, ClaimRow.state == ClaimState.LEASED, ClaimRow.lease_until > now)
        .correlate(ItemRow)
        .scalar_subquery()
    )
    is_skipped = and_(
        col(ClaimRow.item_id) == ItemRow.id,
        col(ClaimRow.reviewer).in_(reviewer),
        col(ClaimRow.state) == ClaimState.SKIPPED,
    )
    free = select(ItemRow).where(
        ItemRow.queue_id == queue.id,
        ItemRow.decided < queue.slots,
        ItemRow.decided + live_claims < queue.slots,
        ~is_decided_by(reviewer),
    )
    fresh = free.where(~exists().where(is_skipped)).order_by(col(ItemRow.place), col(ItemRow.id)).limit(1)
    row = session.exec(fresh).one_or_none()
    if row is None:
        last_skip = select(func.max(ClaimRow.created_at)).where(is_skipped).correlate(ItemRow).scalar_subquery()
        row = session.exec(free.order_by(last_skip, col(ItemRow.place), col(ItemRow.id)).limit(1)).one_or_none()
    return item_from_row(session, row) if row else None


def find_live_claim(session: Session, queue: Queue, reviewer: Sequence[str], now: datetime) -> Claim | None:
    """Return the reviewer's live claim in this queue, or None."""
    query = _claim_query().where(
        QueueRow.id == queue.id,
        col(ClaimRow.reviewer).in_(reviewer),
        ClaimRow.state == ClaimState.LEASED,
        ClaimRow.lease_until > now,
    )
    row = session.exec(query.order_by(col(ClaimRow.created_at)).limit(1)).one_or_none()
    return _claim_from_row(session, *row) if row else None


def find_claim(session: Session, project: int, reviewer: Sequence[str], claim_id: str) -> Claim | None:
    """Return one of the reviewer's own claims in any state, or None."""
    query = _claim_query().where(QueueRow.project_id == project, ClaimRow.id == claim_id, col(ClaimRow.reviewer).in_(reviewer))
    row = session.exec(query).one_or_none()
    return _claim_from_row(session, *row) if row else None


def _claim_query() -> Any:
    return (
        select(ClaimRow, ItemRow, QueueRow.name)
        .join(ItemRow, col(ItemRow.id) == col(ClaimRow.item_id))
        .join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
        .execution_options(populate_existing=True)
    )


def _claim_from_row(session: Session, row: ClaimRow, item: ItemRow, queue: str) -> Claim:
    return Claim(row.id, queue, item_from_row(session, item), row.nonce, ClaimState(row.state), row.lease_until)


def add_claim(session: Session, claim: Claim, reviewer: str, at: datetime) -> None:
    """Store a new claim."""
    session.add(
        ClaimRow(
            id=claim.id,
            item_id=claim.item.id,
            reviewer=reviewer,
            nonce=claim.nonce,
            state=claim.state,
            lease_until=claim.lease_until,
            created_at=at,
        )
    )
    session.flush()


def extend_lease(session: Session, claim: Claim, until: datetime) -> Claim:
    """Extend the lease to a later end and return the changed claim."""
    session.exec(update(ClaimRow).where(col(ClaimRow.id) == claim.id).values(lease_until=until))
    return replace(claim, lease_until=until)


def end_claim(session: Session, claim: Claim, state: ClaimState) -> None:
    """End a claim and store its final state."""
    session.exec(update(ClaimRow).where(col(ClaimRow.id) == claim.id).values(state=state))
