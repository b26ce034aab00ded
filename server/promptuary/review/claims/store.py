"""Queries of claims: the next item, the live claims and the end of a claim. They take a session and return domain values.

A reviewer is passed as the identities that rows may contain for them: one, and the former one of a key of an earlier release.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, or_
from sqlmodel import Session, col, select, update

from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.queues.queue import Item, Queue
from promptuary.review.queues.store import is_available_to, item_from_row
from promptuary.review.tables import ClaimRow, ClaimState, ItemRow, PairSideRow, QueueRow


def find_next_item(session: Session, queue: Queue, reviewer: Sequence[str], now: datetime) -> Item | None:
    """Return the first item with a free slot that the reviewer has neither decided nor leased.

    A case that is gold by now does not come. One that they skipped or deferred comes only when no other is left; one that they
    deferred to a time, not before it.
    """
    is_leased = and_(
        col(ClaimRow.item_id) == ItemRow.id, col(ClaimRow.state) == ClaimState.LEASED, col(ClaimRow.lease_until) > now
    )
    live_claims = select(func.count()).select_from(ClaimRow).where(is_leased).correlate(ItemRow).scalar_subquery()
    is_own = and_(col(ClaimRow.item_id) == ItemRow.id, col(ClaimRow.reviewer).in_(reviewer))
    is_postponed = and_(
        is_own,
        or_(
            col(ClaimRow.state) == ClaimState.SKIPPED,
            and_(col(ClaimRow.state) == ClaimState.DEFERRED, col(ClaimRow.deferred_until).is_(None)),
        ),
    )
    is_waiting = and_(is_own, col(ClaimRow.state) == ClaimState.DEFERRED, col(ClaimRow.deferred_until) > now)
    free = select(ItemRow).where(
        ItemRow.queue_id == queue.id,
        ItemRow.decided + live_claims < queue.slots,
        is_available_to(reviewer),
        ~exists().where(is_leased, is_own),
        ~exists().where(is_waiting),
    )
    fresh = free.where(~exists().where(is_postponed)).order_by(col(ItemRow.place), col(ItemRow.id)).limit(1)
    # One query for each number of decisions: the index has the items of each in order, so a query ends at its first item.
    first = [session.exec(fresh.where(ItemRow.decided == decided)).one_or_none() for decided in range(queue.slots)]
    row = min((row for row in first if row is not None), key=lambda row: (row.place, row.id), default=None)
    if row is None:
        last_time = select(func.max(ClaimRow.created_at)).where(is_postponed).correlate(ItemRow).scalar_subquery()
        own = select(ClaimRow.item_id).where(col(ClaimRow.reviewer).in_(reviewer))
        postponed = free.where(ItemRow.decided < queue.slots, col(ItemRow.id).in_(own))
        row = session.exec(postponed.order_by(last_time, col(ItemRow.place), col(ItemRow.id)).limit(1)).one_or_none()
    return item_from_row(session, row) if row else None


def list_live_claims(session: Session, queue: Queue, reviewer: Sequence[str], now: datetime) -> list[Claim]:
    """List the reviewer's live claims in this queue, the oldest first."""
    query = _claim_query().where(
        QueueRow.id == queue.id,
        col(ClaimRow.reviewer).in_(reviewer),
        ClaimRow.state == ClaimState.LEASED,
        ClaimRow.lease_until > now,
    )
    rows = session.exec(query.order_by(col(ClaimRow.created_at), col(ClaimRow.id)))
    claims = [_claim_from_row(session, *row) for row in rows]
    if len(claims) > 1 and claims[0].created_at == claims[1].created_at and claims[0].beside == claims[1].id:
        claims[:2] = reversed(claims[:2])
    return claims


def list_claimed_queues(session: Session, project: int, reviewer: Sequence[str], now: datetime) -> list[str]:
    """List the names of the project's queues in which the reviewer has live claims, in order."""
    query = (
        select(QueueRow.name)
        .join(ItemRow, col(ItemRow.queue_id) == col(QueueRow.id))
        .join(ClaimRow, col(ClaimRow.item_id) == col(ItemRow.id))
        .where(QueueRow.project_id == project, col(ClaimRow.reviewer).in_(reviewer))
        .where(ClaimRow.state == ClaimState.LEASED, ClaimRow.lease_until > now)
    )
    return list(session.exec(query.distinct().order_by(col(QueueRow.name))))


def find_claim(session: Session, project: int, reviewer: Sequence[str], claim_id: str) -> Claim | None:
    """Return one of the reviewer's own claims in any state, or None."""
    query = _claim_query().where(QueueRow.project_id == project, ClaimRow.id == claim_id, col(ClaimRow.reviewer).in_(reviewer))
    row = session.exec(query).one_or_none()
    return _claim_from_row(session, *row) if row else None


def find_draft(session: Session, item: str, reviewer: Sequence[str]) -> Draft | None:
    """Return what the reviewer last entered for an item under a claim that ended without a decision, or None."""
    query = select(ClaimRow.draft).where(
        ClaimRow.item_id == item,
        col(ClaimRow.reviewer).in_(reviewer),
        ClaimRow.state != ClaimState.SUBMITTED,
        col(ClaimRow.draft_at).is_not(None),
    )
    stored = session.exec(query.order_by(col(ClaimRow.draft_at).desc()).limit(1)).one_or_none()
    return Draft(**stored) if stored else None


def _claim_query() -> Any:
    return (
        select(ClaimRow, ItemRow, QueueRow.name, PairSideRow.swapped)
        .join(ItemRow, col(ItemRow.id) == col(ClaimRow.item_id))
        .join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id))
        .outerjoin(
            PairSideRow,
            and_(col(PairSideRow.item_id) == col(ClaimRow.item_id), col(PairSideRow.reviewer) == col(ClaimRow.reviewer)),
        )
        .execution_options(populate_existing=True)
    )


def _claim_from_row(session: Session, row: ClaimRow, item: ItemRow, queue: str, swapped: bool | None) -> Claim:
    return Claim(
        id=row.id,
        queue=queue,
        item=item_from_row(session, item),
        nonce=row.nonce,
        state=ClaimState(row.state),
        lease_until=row.lease_until,
        created_at=row.created_at,
        beside=row.beside,
        draft=Draft(**row.draft) if row.draft else None,
        swapped=swapped,
    )


def add_claim(session: Session, claim: Claim, reviewer: str) -> None:
    """Store a new claim."""
    session.add(
        ClaimRow(
            id=claim.id,
            item_id=claim.item.id,
            reviewer=reviewer,
            nonce=claim.nonce,
            state=claim.state,
            lease_until=claim.lease_until,
            beside=claim.beside,
            draft=None if claim.draft is None else asdict(claim.draft),
            draft_at=None if claim.draft is None else claim.created_at,
            created_at=claim.created_at,
        )
    )
    session.flush()


def extend_lease(session: Session, claim: Claim, until: datetime) -> Claim:
    """Extend the lease to a later end and return the changed claim."""
    session.exec(update(ClaimRow).where(col(ClaimRow.id) == claim.id).values(lease_until=until))
    return replace(claim, lease_until=until)


def store_draft(session: Session, claim: Claim, draft: Draft, at: datetime) -> None:
    """Store what the reviewer has entered, in place of what was stored before."""
    session.exec(update(ClaimRow).where(col(ClaimRow.id) == claim.id).values(draft=asdict(draft), draft_at=at))


def end_claim(session: Session, claim: Claim, state: ClaimState, deferred_until: datetime | None = None) -> None:
    """End a claim and store its final state."""
    change = update(ClaimRow).where(col(ClaimRow.id) == claim.id)
    session.exec(change.values(state=state, deferred_until=deferred_until))
