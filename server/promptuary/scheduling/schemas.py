"""What the routes of schedules and alerts take and answer."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.prompt.name import Name
from promptuary.scheduling.cron import next_times, redacted_webhook
from promptuary.scheduling.service import ScheduleDefinition
from promptuary.scheduling.store import Alert, Schedule

TIMES_SHOWN = 3


class ScheduleIn(RequestModel):
    """A suite, when it is to be run, and how much it may drop against its own history before there is an alert."""

    suite: Name
    cron: Annotated[str, Field(min_length=1, max_length=200)]
    zone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    label: Name | None = None
    margin: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    paused: bool = False
    webhook: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    def schedule(self) -> ScheduleDefinition:
        """Make the domain's value."""
        return ScheduleDefinition(**dict(self))


class LastRunOut(ResponseModel):
    """How the run that a schedule submitted last stands."""

    id: str
    state: str
    verdict: str | None


class ScheduleOut(ResponseModel):
    """A schedule. `webhook` is shown without its path, `error` says why the last time gave no run."""

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
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Make it from the domain's value, with the times that follow; none for one that is paused."""
        later = [] if schedule.paused else next_times(schedule.cron, schedule.zone, schedule.next_at, TIMES_SHOWN - 1)
        return cls.model_validate(
            {
                **vars(schedule),
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
    seen_at: datetime | None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Make it from the domain's value."""
        return cls.model_validate(alert)
