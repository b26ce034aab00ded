"""Claims over HTTP: an item leased to its reviewer, until the decision."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.claims.schemas import ClaimOut, HeartbeatOut, Submission
from promptuary.review.claims.service import ClaimService
from promptuary.review.labels.schemas import DecisionOut

ClaimId = Annotated[str, Path(alias="id")]

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.post("/queues/{name}/claims", status_code=201, response_model=ClaimOut, responses={200: {"model": ClaimOut}, 204: {}})
def claim(
    name: PathName, response: Response, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]
) -> ClaimOut | Response:
    """Claim the next item: 201 for a new claim, 200 for the caller's live one, 204 when no item is available."""
    result = ClaimService(unit).claim(name)
    if result is None:
        return Response(status_code=204)
    response.status_code = 201 if result.created else 200
    return ClaimOut.of(result.claim)


@router.get("/claims/{id}")
def read_claim(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> ClaimOut:
    """Return the caller's own live claim."""
    return ClaimOut.of(ClaimService(unit).live_claim(claim_id))


@router.post("/claims/{id}/submit")
def submit(claim_id: ClaimId, body: Submission, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> DecisionOut:
    """Submit a decision on the claimed item; 409 without a live lease, or when the nonce is not the claim's."""
    return DecisionOut.model_validate(ClaimService(unit).submit(claim_id, body.nonce, body.decision, body.comment))


@router.post("/claims/{id}/skip", status_code=204)
def skip(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Skip the item; the caller gets it again when no other item is left."""
    ClaimService(unit).skip(claim_id)


@router.post("/claims/{id}/release", status_code=204)
def release(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Release the item, as if it had never been claimed."""
    ClaimService(unit).release(claim_id)


@router.post("/claims/{id}/heartbeat")
def heartbeat(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> HeartbeatOut:
    """Extend the lease from now."""
    return HeartbeatOut.model_validate(ClaimService(unit).heartbeat(claim_id))
