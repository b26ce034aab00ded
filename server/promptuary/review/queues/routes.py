"""Review queues and their items over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.review.queues.schemas import NewQueue, QueueOut
from promptuary.review.queues.service import QueueService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues")
def list_queues(
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[QueueOut]:
    """List queues by name."""
    page = QueueService(unit).queues(min(limit, unit.settings.page_limit), cursor)
    return PageOf[QueueOut](items=[QueueOut.of(state) for state in page.items], next_cursor=page.next_cursor)


@router.put("/queues/{name}")
def put_queue(name: PathName, body: NewQueue, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> QueueOut:
    """Create a queue, or change its instructions, decisions and slots."""
    return QueueOut.of(QueueService(unit).put_queue(body.definition(name), body.retained))


@router.get("/queues/{name}")
def read_queue(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)]) -> QueueOut:
    """Return a queue with its counts."""
    return QueueOut.of(QueueService(unit).queue(name))
