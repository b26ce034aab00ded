"""Comparisons over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER, Timestamp
from promptuary.traffic.comparison.schemas import ComparedFigureOut, VersionComparisonOut

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)
Number = Annotated[int, Query(ge=1), STRICT_INTEGER]


@router.get("/prompts/{name}/traffic/comparison")
def compare_prompt_traffic(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_READ)],
    baseline: Number,
    candidate: Number,
    start: Annotated[Timestamp | None, Query(alias="from")] = None,
    end: Annotated[Timestamp | None, Query(alias="to")] = None,
) -> VersionComparisonOut:
    """Compare two versions of a prompt in production over whole hours, the last 30 days by default."""
    from promptuary.traffic.comparison.service import ComparisonRequest, compare_versions  # it needs numpy

    comparison = compare_versions(unit, name, ComparisonRequest(baseline, candidate, start, end))
    period: dict[str, Any] = {"from": comparison.period.start_time, "to": comparison.period.end_time}
    figures = [ComparedFigureOut.model_validate(figure) for figure in comparison.figures]
    return VersionComparisonOut(prompt=name, baseline=baseline, candidate=candidate, figures=figures, **period)
