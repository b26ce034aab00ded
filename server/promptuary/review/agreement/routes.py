"""Agreement, disagreements and adjudications over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.identity import shown_name
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.review.agreement.adjudication import AdjudicationService
from promptuary.review.agreement.disagreements import Disagreement, DisagreementState, list_disagreements, sees_everything
from promptuary.review.agreement.schemas import (
    AdjudicationIn,
    AdjudicationOut,
    AdjudicationsOut,
    AgreementOut,
    DisagreementOut,
)
from promptuary.review.agreement.service import compute_agreement

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues/{name}/agreement")
def read_agreement(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)]) -> AgreementOut:
    """Return the reviewers' agreement on each label; without `review:manage` or `review:adjudicate`, over finished items."""
    return AgreementOut.of(compute_agreement(unit, name))


@router.get("/queues/{name}/disagreements")
def read_disagreements(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)],
    state: Annotated[DisagreementState, Query()] = DisagreementState.OPEN,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[DisagreementOut]:
    """List the finished items on which labels differ, with all labels and comments; a reviewer sees those decided by them."""
    page = list_disagreements(unit, name, state, min(limit, unit.settings.page_limit), cursor)
    items = [DisagreementOut.of(disagreement, _names(unit, disagreement)) for disagreement in page.items]
    return PageOf[DisagreementOut](items=items, next_cursor=page.next_cursor)


@router.post("/queues/{name}/adjudications", status_code=201)
def adjudicate(
    name: PathName, body: AdjudicationIn, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_ADJUDICATE)]
) -> AdjudicationsOut:
    """Settle labels of a finished item, with a reason; 409 for one's own item without `own`, or when settled already."""
    adjudications = AdjudicationService(unit).adjudicate(name, body.settlement())
    names = {unit.caller.identity: unit.caller.name}
    return AdjudicationsOut(items=[AdjudicationOut.of(adjudication, names) for adjudication in adjudications])


def _names(unit: UnitOfWork, disagreement: Disagreement) -> dict[str, str]:
    """Return the names that the caller may see, by identity; a reviewer does not see who else decided."""
    if not sees_everything(unit.caller):
        return dict.fromkeys(unit.caller.identities, unit.caller.name)
    reviewers = {review.reviewer for review in disagreement.labelled.reviews}
    adjudicators = {adjudication.adjudicator for adjudication in disagreement.adjudications.values()}
    return {identity: shown_name(unit.session, identity) for identity in reviewers | adjudicators}
