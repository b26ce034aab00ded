"""Agreement over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.agreement.schemas import AgreementOut
from promptuary.review.agreement.service import compute_agreement

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues/{name}/agreement")
def read_agreement(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> AgreementOut:
    """Return the reviewers' agreement, and the items on which they disagree."""
    return AgreementOut.model_validate(compute_agreement(unit, name))
