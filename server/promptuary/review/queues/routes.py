"""Review queues and their items over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from promptuary.access.auth.conditions import WriteConditions
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf
from promptuary.review.queues.schemas import NewQueue, QueueOut
from promptuary.review.queues.service import QueueService, QueueState

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues")
def list_queues(
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[QueueOut]:
    """List queues by name."""
    page = QueueService(unit).queues(min(limit, unit.settings.page_limit), cursor)
    return PageOf[QueueOut](items=[QueueOut.of(state) for state in page.items], next_cursor=page.next_cursor)


@router.put("/queues/{name}")
def put_queue(
    name: PathName,
    body: NewQueue,
    conditions: WriteConditions,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE, conditional=True)],
) -> QueueOut:
    """Create a queue, or change what it asks: its instructions, decisions, label schema, slots and people.

    With `If-Match: "…"` only if that has not changed since, with `If-None-Match: *` only if the queue does not exist yet.
    """
    return _queue_response(QueueService(unit).put_queue(body.definition(name), body.retained, conditions), response)


@router.get("/queues/{name}")
def read_queue(name: PathName, response: Response, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)]) -> QueueOut:
    """Return a queue with its counts; its ETag, which is of what the queue asks, is the value for `If-Match`."""
    return _queue_response(QueueService(unit).queue(name), response)


def _queue_response(state: QueueState, response: Response) -> QueueOut:
    response.headers["ETag"] = state.queue.tag
    return QueueOut.of(state)
