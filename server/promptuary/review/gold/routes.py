"""Corrections and gold cases over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.review.gold.schemas import AcceptedGoldOut, CorrectionOut, GoldCaseOut, NewGold
from promptuary.review.gold.service import GoldService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues/{name}/corrections")
def list_corrections(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[CorrectionOut]:
    """List the outputs that reviewers have edited, in the order of their decisions."""
    page = GoldService(unit).list_corrections(name, min(limit, unit.settings.page_limit), cursor)
    items = [CorrectionOut.of(correction) for correction in page.items]
    return PageOf[CorrectionOut](items=items, next_cursor=page.next_cursor)


@router.post("/datasets/{dataset}/gold", status_code=201)
def accept_gold(
    dataset: PathName, body: NewGold, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_ADJUDICATE)]
) -> AcceptedGoldOut:
    """Accept corrections into the dataset's next version, as the expected outputs of their cases.

    A case of the same input gets the correction; one that the dataset does not have is appended. Queues show a gold case to
    nobody any more.
    """
    return AcceptedGoldOut.of_accepted(GoldService(unit).accept(dataset, body.decisions, body.reason))


@router.get("/datasets/{dataset}/gold")
def list_gold_cases(
    dataset: PathName, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[GoldCaseOut]:
    """List the dataset's gold cases with their provenance, in the order in which they were accepted."""
    page = GoldService(unit).list_gold_cases(dataset, min(limit, unit.settings.page_limit), cursor)
    return PageOf[GoldCaseOut](items=[GoldCaseOut.of(case) for case in page.items], next_cursor=page.next_cursor)
