"""Decisions over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.prompt.name import Name
from promptuary.review.labels.schemas import ExportedDecision, OwnDecisionOut
from promptuary.review.labels.service import DecisionService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues/{name}/export")
def export(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[ExportedDecision]:
    """List a queue's decisions in the order in which they were made, each with its item's payload."""
    page = DecisionService(unit).decisions(name, min(limit, unit.settings.page_limit), cursor)
    return PageOf[ExportedDecision].model_validate(page)


@router.get("/me/decisions")
def list_own_decisions(
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_DECIDE)],
    queue: Name | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[OwnDecisionOut]:
    """List the caller's own decisions, the newest first, each with what its queue shows after it."""
    page = DecisionService(unit).own_decisions(queue, min(limit, unit.settings.page_limit), cursor)
    return PageOf[OwnDecisionOut](items=[OwnDecisionOut.of(own) for own in page.items], next_cursor=page.next_cursor)
