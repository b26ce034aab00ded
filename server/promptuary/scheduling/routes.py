"""Schedules and alerts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER, Flag
from promptuary.core.wire import PageOf, RequestModel
from promptuary.evaluation.runs.schemas import RunOut
from promptuary.prompt.name import Name
from promptuary.scheduling.schemas import AlertOut, ScheduleIn, ScheduleOut
from promptuary.scheduling.service import AlertService, ScheduleService
from promptuary.scheduling.store import AlertFilter

router = APIRouter(prefix="/v1", tags=["schedules"], route_class=IdempotentRoute)
AlertId = Annotated[int, Path(ge=1, le=2**31 - 1), STRICT_INTEGER]
Open = Annotated[Flag | None, Query(alias="open", description="Those that nobody (true) or somebody (false) has seen.")]


class EmptyBody(RequestModel):
    """A body without any field."""


@router.put("/schedules/{schedule}")
def put_schedule(
    schedule: PathName, body: ScheduleIn, unit: Annotated[UnitOfWork, authorize(Scope.SCHEDULE_WRITE)]
) -> ScheduleOut:
    """Write a schedule, over the one of that name; its next time is the first one from now on."""
    return ScheduleOut.of(ScheduleService(unit).put(schedule, body.definition()))


@router.get("/schedules")
def list_schedules(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[ScheduleOut]:
    """Return schedules by name."""
    page = ScheduleService(unit).list_schedules(min(limit, unit.settings.page_limit), cursor)
    return PageOf[ScheduleOut](items=[ScheduleOut.of(schedule) for schedule in page.items], next_cursor=page.next_cursor)


@router.get("/schedules/{schedule}")
def read_schedule(schedule: PathName, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> ScheduleOut:
    """Return a schedule with its next times and the state of its last run."""
    return ScheduleOut.of(ScheduleService(unit).get(schedule))


@router.delete("/schedules/{schedule}", status_code=204)
def remove_schedule(schedule: PathName, unit: Annotated[UnitOfWork, authorize(Scope.SCHEDULE_WRITE)]) -> None:
    """Delete a schedule; its runs and alerts stay."""
    ScheduleService(unit).remove(schedule)


@router.post("/schedules/{schedule}/pause")
def pause_schedule(
    schedule: PathName, unit: Annotated[UnitOfWork, authorize(Scope.SCHEDULE_WRITE)], body: EmptyBody | None = None
) -> ScheduleOut:
    """Submit no more runs until it is resumed."""
    return ScheduleOut.of(ScheduleService(unit).pause(schedule, True))


@router.post("/schedules/{schedule}/resume")
def resume_schedule(
    schedule: PathName, unit: Annotated[UnitOfWork, authorize(Scope.SCHEDULE_WRITE)], body: EmptyBody | None = None
) -> ScheduleOut:
    """Submit runs again, from the next time on; times that passed meanwhile are not caught up."""
    return ScheduleOut.of(ScheduleService(unit).pause(schedule, False))


@router.post("/schedules/{schedule}/now", status_code=202)
def submit_scheduled(
    schedule: PathName, unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE)], body: EmptyBody | None = None
) -> RunOut:
    """Queue a run of a schedule now; its next time stays. 409 while a run of it is not over."""
    return RunOut.of(ScheduleService(unit).submit(schedule))


@router.get("/alerts")
def list_alerts(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    unseen: Open = None,
    schedule: Annotated[Name | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[AlertOut]:
    """Return alerts, the newest first; `open=true` selects those that nobody has seen."""
    page = AlertService(unit).list_alerts(min(limit, unit.settings.page_limit), cursor, AlertFilter(schedule, unseen))
    return PageOf[AlertOut](items=[AlertOut.of(alert) for alert in page.items], next_cursor=page.next_cursor)


@router.post("/alerts/{alert}/seen")
def see_alert(
    alert: AlertId, unit: Annotated[UnitOfWork, authorize(Scope.SCHEDULE_WRITE)], body: EmptyBody | None = None
) -> AlertOut:
    """Record that the caller has seen an alert; the first one stays recorded."""
    return AlertOut.of(AlertService(unit).mark_seen(alert))
