"""Schedules and alerts as the API answers them; the classes mirror the server's of the same name and `…Out`."""

from datetime import datetime

from pydantic import Field

from promptuary_ui.wire.base import ApiModel


class LastRun(ApiModel):
    """The last run that a schedule submitted."""

    id: str
    state: str
    verdict: str | None = None


class Schedule(ApiModel):
    """The schedule of a suite; `error` is the reason why its last time started no run."""

    name: str
    suite: str
    cron: str
    zone: str
    label: str | None = None
    margin: float = 0.0
    paused: bool = False
    next_at: datetime | None = None
    next_times: list[datetime] = Field(default_factory=list)
    last: LastRun | None = None
    error: str | None = None


class Alert(ApiModel):
    """A drop of a scheduled run against its own history; open until somebody has seen it."""

    id: int
    schedule: str
    suite: str
    run: str
    model: str
    metric: str
    sentence: str
    at: datetime
    seen_by: str | None = None
