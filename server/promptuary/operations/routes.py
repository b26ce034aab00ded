"""Parked messages over HTTP; they need an operator's key, since they are those of all projects."""

from typing import Annotated

from fastapi import APIRouter, Path

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.core.wire import PageOf
from promptuary.operations.schemas import ParkedMessageOut
from promptuary.operations.service import ParkedMessages

router = APIRouter(prefix="/v1", tags=["operations"], route_class=IdempotentRoute)
MessageId = Annotated[int, Path(ge=1, le=2**31 - 1), STRICT_INTEGER]
Manage = Annotated[UnitOfWork, authorize(Scope.PROJECT_MANAGE)]


@router.get("/outbox/parked")
def list_parked_messages(unit: Manage, limit: Limit = 50, cursor: Cursor = None) -> PageOf[ParkedMessageOut]:
    """List the messages of all projects that were refused too often, the oldest first."""
    return PageOf[ParkedMessageOut].model_validate(ParkedMessages(unit).list(min(limit, unit.settings.page_limit), cursor))


@router.post("/outbox/parked/{message}/retry")
def retry_parked_message(message: MessageId, unit: Manage) -> ParkedMessageOut:
    """Make a parked message due again; a worker delivers it."""
    return ParkedMessageOut.model_validate(ParkedMessages(unit).retry(message))


@router.delete("/outbox/parked/{message}", status_code=204)
def drop_parked_message(message: MessageId, unit: Manage) -> None:
    """Drop a parked message: it is never delivered."""
    ParkedMessages(unit).drop(message)
