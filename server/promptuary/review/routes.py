"""Review queues over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.review.agreement import compute_agreement
from promptuary.review.run_items import ResultSelection, select_run_items
from promptuary.review.schemas import (
    AddedOut,
    AgreementOut,
    ClaimOut,
    DecisionOut,
    ExportedDecision,
    HeartbeatOut,
    NewItems,
    NewQueue,
    QueueOut,
    Submission,
)
from promptuary.review.service import ReviewService

ClaimId = Annotated[str, Path(alias="id")]

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues")
def list_queues(
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[QueueOut]:
    """List queues by name."""
    page = ReviewService(unit).queues(min(limit, unit.settings.page_limit), cursor)
    return PageOf[QueueOut](items=[QueueOut.of(state) for state in page.items], next_cursor=page.next_cursor)


@router.put("/queues/{name}")
def put_queue(name: PathName, body: NewQueue, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> QueueOut:
    """Create a queue, or change its instructions, decisions and slots."""
    return QueueOut.of(ReviewService(unit).put_queue(name, body.instructions, body.choices(), body.slots))


@router.get("/queues/{name}")
def read_queue(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)]) -> QueueOut:
    """Return a queue with its counts."""
    return QueueOut.of(ReviewService(unit).queue(name))


@router.post("/queues/{name}/items")
def add_items(name: PathName, body: NewItems, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> AddedOut:
    """Add items or a run's results to a queue; an item whose source is in the queue already does not change."""
    items = (
        body.new_items()
        if body.run is None
        else select_run_items(unit, body.run, ResultSelection(body.only or ResultSelection.FAILED), body.variant)
    )
    return AddedOut.model_validate(ReviewService(unit).add_items(name, items))


@router.post("/queues/{name}/claims", status_code=201, response_model=ClaimOut, responses={200: {"model": ClaimOut}, 204: {}})
def claim(
    name: PathName, response: Response, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]
) -> ClaimOut | Response:
    """Claim the next item: 201 for a new claim, 200 for the caller's live one, 204 when no item is available."""
    result = ReviewService(unit).claim(name)
    if result is None:
        return Response(status_code=204)
    response.status_code = 201 if result.created else 200
    return ClaimOut.of(result.claim)


@router.get("/queues/{name}/export")
def export(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[ExportedDecision]:
    """List a queue's decisions in the order in which they were made, each with its item's payload."""
    page = ReviewService(unit).decisions(name, min(limit, unit.settings.page_limit), cursor)
    return PageOf[ExportedDecision].model_validate(page)


@router.get("/queues/{name}/agreement")
def read_agreement(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> AgreementOut:
    """Return the reviewers' agreement, and the items on which they disagree."""
    return AgreementOut.model_validate(compute_agreement(unit, name))


@router.get("/claims/{id}")
def read_claim(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> ClaimOut:
    """Return the caller's own live claim."""
    return ClaimOut.of(ReviewService(unit).live_claim(claim_id))


@router.post("/claims/{id}/submit")
def submit(claim_id: ClaimId, body: Submission, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> DecisionOut:
    """Submit a decision on the claimed item; 409 without a live lease, or when the nonce is not the claim's."""
    return DecisionOut.model_validate(ReviewService(unit).submit(claim_id, body.nonce, body.decision, body.comment))


@router.post("/claims/{id}/skip", status_code=204)
def skip(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Skip the item; the caller gets it again when no other item is left."""
    ReviewService(unit).skip(claim_id)


@router.post("/claims/{id}/release", status_code=204)
def release(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Release the item, as if it had never been claimed."""
    ReviewService(unit).release(claim_id)


@router.post("/claims/{id}/heartbeat")
def heartbeat(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> HeartbeatOut:
    """Extend the lease from now."""
    return HeartbeatOut.model_validate(ReviewService(unit).heartbeat(claim_id))
