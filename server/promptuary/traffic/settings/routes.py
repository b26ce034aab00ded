"""A project's traffic settings over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from promptuary.access.auth.conditions import WriteConditions
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.traffic.settings.project_settings import ProjectTraffic
from promptuary.traffic.settings.schemas import TrafficSettingsIn, TrafficSettingsOut
from promptuary.traffic.settings.service import TrafficSettingsService

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)


@router.get("/traffic/settings")
def read_traffic_settings(
    response: Response, unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]
) -> TrafficSettingsOut:
    """Return what is sampled of the project's traffic, how long it is stored, and the rules for calls without a prompt.

    The ETag, which is of the project's own settings and rules, is the value for `If-Match`.
    """
    return _settings_response(TrafficSettingsService(unit).get(), response)


@router.put("/traffic/settings")
def put_traffic_settings(
    body: TrafficSettingsIn,
    conditions: WriteConditions,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE, conditional=True)],
) -> TrafficSettingsOut:
    """Replace the project's own settings and rules; they count for the calls that come from now on.

    With `If-Match: "…"` only if nobody has changed them since they were read.
    """
    rules = [rule.rule() for rule in body.rules]
    return _settings_response(TrafficSettingsService(unit).put(body.overrides(), rules, conditions), response)


def _settings_response(traffic: ProjectTraffic, response: Response) -> TrafficSettingsOut:
    response.headers["ETag"] = traffic.tag
    return TrafficSettingsOut.of(traffic)
