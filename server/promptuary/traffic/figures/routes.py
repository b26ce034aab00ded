"""Traffic over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import Flag, Timestamp
from promptuary.traffic.figures.schemas import TrafficOut
from promptuary.traffic.figures.service import TrafficRequest, report_project, report_prompt

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)
Read = Annotated[UnitOfWork, authorize(Scope.TRAFFIC_READ)]
From = Annotated[Timestamp | None, Query(alias="from")]
To = Annotated[Timestamp | None, Query(alias="to")]
By = Annotated[str, Query(max_length=200)]
Latency = Annotated[Flag, Query()]


@router.get("/prompts/{name}/traffic")
def read_prompt_traffic(name: PathName, unit: Read, start: From = None, end: To = None, by: By = "version") -> TrafficOut:
    """Return a prompt's traffic over whole hours, by any of version, label, variant, model, reason, and hour or day."""
    return TrafficOut.of(report_prompt(unit, name, TrafficRequest(start, end, by)))


@router.get("/traffic")
def read_project_traffic(
    unit: Read, start: From = None, end: To = None, by: By = "prompt,reason", latency: Latency = False
) -> TrafficOut:
    """Return the project's traffic, also of calls whose prompt is unknown, with the reason; `by` may name `prompt`, too.

    Quantiles of latency are null without `latency=true`: over all prompts they take most of the time.
    """
    return TrafficOut.of(report_project(unit, TrafficRequest(start, end, by, latency)))
