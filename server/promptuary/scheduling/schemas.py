"""The wire models of schedules and alerts."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.prompt.name import Name
from promptuary.scheduling.cron import next_times, redacted_webhook
from promptuary.scheduling.service import ScheduleDefinition
from promptuary.scheduling.store import Alert, Schedule

TIMES_SHOWN = 3
"""How many next times a schedule has on the wire."""


class ScheduleIn(RequestModel):
    """A suite, the times of its runs, and the loss against its own history that raises no alert."""

    suite: Name
    cron: Annotated[str, Field(min_length=1, max_length=200)]
    zone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    label: Name | None = None
    margin: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    paused: bool = False
    webhook: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    def definition(self) -> ScheduleDefinition:
        """Return the domain value."""
        return ScheduleDefinition(**dict(self))


class LastRunOut(ResponseModel):
    """The state of the run that a schedule submitted last."""

    id: str
    state: RunState
    verdict: str | None


class ScheduleOut(ResponseModel):
    """A schedule. `webhook` has no path, `error` is why no run was submitted the last time."""

    name: str
    suite: str
    cron: str
    zone: str
    label: str | None
    margin: float
    paused: bool
    webhook: str | None
    next_at: datetime
    next_times: list[datetime]
    last: LastRunOut | None
    error: str | None
    actor: str
    actor_id: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Build it from the domain value, with the times that follow; none for a paused one."""
        later = [] if schedule.paused else next_times(schedule.cron, schedule.zone, schedule.next_at, TIMES_SHOWN - 1)
        return cls.model_validate(
            {
                **vars(schedule),
                "actor": schedule.actor_name,
                "actor_id": schedule.actor,
                "webhook": redacted_webhook(schedule.webhook),
                "next_times": [] if schedule.paused else [schedule.next_at, *later],
            }
        )


class AlertOut(ResponseModel):
    """A drop of a scheduled run against its own history; `interval` is of this run minus that history."""

    id: int
    schedule: str
    suite: str
    run: str
    model: str
    metric: str
    interval: IntervalFigures
    sentence: str
    at: datetime
    seen_by: str | None
    seen_by_id: str | None
    seen_at: datetime | None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Build it from the domain value."""
        return cls.model_validate(alert)


class AlertRaisedData(ResponseModel):
    """The data of an alert's event; `interval` is of the run minus the history of its schedule."""

    project: str
    id: int
    schedule: str
    suite: str
    run: str
    model: str
    metric: str
    interval: IntervalFigures
    sentence: str
