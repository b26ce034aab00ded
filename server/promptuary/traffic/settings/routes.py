"""A project's traffic settings over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.traffic.settings.schemas import TrafficSettingsIn, TrafficSettingsOut
from promptuary.traffic.settings.service import TrafficSettingsService

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)


@router.get("/traffic/settings")
def read_traffic_settings(unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]) -> TrafficSettingsOut:
    """Return what is sampled of the project's traffic, how long it is stored, and the rules for calls without a prompt."""
    return TrafficSettingsOut.of(TrafficSettingsService(unit).get())


@router.put("/traffic/settings")
def put_traffic_settings(
    body: TrafficSettingsIn, unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]
) -> TrafficSettingsOut:
    """Replace the project's own settings and rules; they count for the calls that come from now on."""
    rules = [rule.rule() for rule in body.rules]
    return TrafficSettingsOut.of(TrafficSettingsService(unit).put(body.overrides(), rules))
