"""The figures of pairs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.preferences.schemas import PositionBiasOut, RankingOut
from promptuary.review.preferences.service import PreferenceService

Field = Annotated[str | None, Query(max_length=64)]

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)


@router.get("/queues/{name}/position-bias")
def read_position_bias(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_READ)], field: Field = None
) -> PositionBiasOut:
    """Return how often the left side of pairs was preferred, with its interval, and what repeated pairs show.

    `field` names the preference where the queue has several. Who does not manage queues gets the figures of the pairs
    that have all their decisions, and of reviewers their own.
    """
    return PositionBiasOut.of(PreferenceService(unit).position_bias(name, field))


@router.get("/queues/{name}/ranking")
def read_ranking(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)], field: Field = None
) -> RankingOut:
    """Return the strengths of the variants by Bradley and Terry, with intervals over resampled pairs.

    `field` names the preference where the queue has several.
    """
    return RankingOut.of(PreferenceService(unit).ranking(name, field))
