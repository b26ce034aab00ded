"""Claims over HTTP: an item leased to its reviewer, until the decision."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.review.claims.schemas import ClaimOut, Deferral, HeartbeatOut, NewClaim, NewDraft, NewSubmission
from promptuary.review.claims.service import ClaimService
from promptuary.review.claims.submission import SubmissionService
from promptuary.review.labels.schemas import OwnDecisionOut

ClaimId = Annotated[str, Path(alias="id")]
DecisionId = Annotated[int, Path(alias="id", ge=1), STRICT_INTEGER]

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.post("/queues/{name}/claims", status_code=201, response_model=ClaimOut, responses={200: {"model": ClaimOut}, 204: {}})
def claim(
    name: PathName,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)],
    body: NewClaim | None = None,
) -> ClaimOut | Response:
    """Claim the next item: 201 for a new claim, 200 for the caller's live one, 204 when no item is available.

    With `beside`, one more item is claimed beside that live claim; nobody has more than two.
    """
    result = ClaimService(unit).claim(name, body.beside if body else None)
    if result is None:
        return Response(status_code=204)
    response.status_code = 201 if result.created else 200
    return ClaimOut.of(result.claim)


@router.get("/claims/{id}")
def read_claim(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> ClaimOut:
    """Return the caller's own live claim."""
    return ClaimOut.of(ClaimService(unit).live_claim(claim_id))


@router.post("/claims/{id}/submit")
def submit(
    claim_id: ClaimId, body: NewSubmission, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]
) -> OwnDecisionOut:
    """Submit a decision on the claimed item; 409 without a live lease, with another nonce, or without `seen_at`."""
    return OwnDecisionOut.of(SubmissionService(unit).submit(claim_id, body.submission()))


@router.put("/claims/{id}/draft", status_code=204)
def put_draft(claim_id: ClaimId, body: NewDraft, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Store what the reviewer has entered so far, which is returned with the claim; the lease is extended from now."""
    ClaimService(unit).save_draft(claim_id, body.nonce, body.draft())


@router.post("/claims/{id}/skip", status_code=204)
def skip(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Skip the item; the caller gets it again when no other item is left."""
    ClaimService(unit).skip(claim_id)


@router.post("/claims/{id}/defer", status_code=204)
def defer(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)], body: Deferral | None = None) -> None:
    """Put the item off: the caller gets it again after all others, or after the time."""
    ClaimService(unit).defer(claim_id, body.until if body else None)


@router.post("/claims/{id}/release", status_code=204)
def release(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Release the item, as if it had never been claimed."""
    ClaimService(unit).release(claim_id)


@router.post("/claims/release", status_code=204)
def release_all(unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> None:
    """Release the caller's live claims in all queues, as a sign-out does; what they entered stays for their next claim."""
    ClaimService(unit).release_all()


@router.post("/claims/{id}/heartbeat")
def heartbeat(claim_id: ClaimId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> HeartbeatOut:
    """Extend the lease from now."""
    return HeartbeatOut.model_validate(ClaimService(unit).heartbeat(claim_id))


@router.post("/decisions/{id}/undo", status_code=201)
def undo(decision_id: DecisionId, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)]) -> ClaimOut:
    """Undo one of the caller's decisions within the queue's time, and return a new claim on its item with it as the draft."""
    return ClaimOut.of(SubmissionService(unit).undo(decision_id))
