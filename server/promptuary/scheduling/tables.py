"""The tables of schedules and alerts; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class ScheduleRow(SQLModel, table=True):
    """A suite that is run at the times that a cron expression names."""

    __tablename__ = "schedule"
    __table_args__ = (UniqueConstraint("project_id", "name"), Index("ix_schedule_due", "paused", "next_at"))

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    suite: str
    cron: str
    zone: str
    label: str | None = None
    paused: bool = False
    margin: float
    webhook: str | None = None
    actor: str
    next_at: datetime = Field(sa_type=UtcDateTime)
    last_run: str | None = None
    error: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class AlertRow(SQLModel, table=True):
    """A drop of a scheduled run against its own history; open until somebody has seen it."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("run_id", "model", "metric"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    schedule: str
    suite: str
    run_id: str = Field(foreign_key="run.id")
    model: str
    metric: str
    interval: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    sentence: str
    at: datetime = Field(sa_type=UtcDateTime)
    seen_by: str | None = None
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
