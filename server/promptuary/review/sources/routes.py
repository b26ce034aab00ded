"""Items of review queues over HTTP: sent as they are, or selected from a run."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.queues.service import QueueService
from promptuary.review.sources.schemas import AddedOut, NewItems
from promptuary.review.sources.service import SourceService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.post("/queues/{name}/items")
def add_items(name: PathName, body: NewItems, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> AddedOut:
    """Add items or a run's results to a queue; an item whose source is in the queue already stays as it is.

    `only` selects results by priority, `sample` draws a random slice of all of them beside it. `pairs` names two variants,
    whose outputs become the sides of an item. How the items were selected is recorded in the queue's `source`, and each item's
    inclusion probability with it.
    """
    selection = body.selection()
    if selection is None:
        return AddedOut.model_validate(QueueService(unit).add_items(name, body.new_items()))
    return AddedOut.model_validate(SourceService(unit).fill(name, selection))
