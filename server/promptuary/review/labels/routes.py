"""Decisions over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.prompt.name import Name
from promptuary.review.labels.schemas import OwnDecisionOut
from promptuary.review.labels.service import DecisionService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


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
