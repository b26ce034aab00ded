"""The evaluation's tables; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from promptuary.base.database import Moment


class DatasetRow(SQLModel, table=True):
    """A dataset's name and the number of its newest version."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    newest: int = 0
    created_at: datetime = Field(sa_type=Moment)


class DatasetVersionRow(SQLModel, table=True):
    """A version of a dataset; its digest covers the cases in their order."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    dataset_id: int = Field(foreign_key="dataset.id")
    number: int
    digest: str
    cases: int
    author: str
    created_at: datetime = Field(sa_type=Moment)


class CaseRow(SQLModel, table=True):
    """One case, as its file said it."""

    __tablename__ = "dataset_case"

    dataset_version_id: int = Field(foreign_key="dataset_version.id", primary_key=True)
    ordinal: int = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class SuiteRow(SQLModel, table=True):
    """A suite as it stands now; a run keeps the definition that it ran."""

    __tablename__ = "suite"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    definition: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    updated_at: datetime = Field(sa_type=Moment)


class RunRow(SQLModel, table=True):
    """A run: what it is to do, who holds its lease, and how it ended. `fence` grows with every lease."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_due", "state", "lease_until"),)

    id: str = Field(primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    suite: str = Field(index=True)
    plan: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str
    verdict: str | None = None
    summary: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    error: str | None = None
    total: int
    done: int = 0
    actor: str
    worker: str | None = None
    fence: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=Moment)
    tracking_id: str | None = None
    created_at: datetime = Field(sa_type=Moment)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)


class ResultRow(SQLModel, table=True):
    """What one case gave under one variant in one repeat; `ordinal` is its place in the plan, so there is one each."""

    __tablename__ = "result"

    run_id: str = Field(foreign_key="run.id", primary_key=True)
    ordinal: int = Field(primary_key=True)
    case_id: str
    variant: str
    repeat: int
    output: str | None = Field(default=None, sa_column=Column(Text))
    passed: bool | None = None
    score: float | None = None
    metrics: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    error: str | None = None
    detail: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=Moment)
