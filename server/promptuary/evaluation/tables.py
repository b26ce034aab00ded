"""The evaluation's tables; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint, false
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class DatasetRow(SQLModel, table=True):
    """A dataset's name and the number of its newest version."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str
    newest: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)


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
    created_at: datetime = Field(sa_type=UtcDateTime)


class CaseRow(SQLModel, table=True):
    """One case, as its file or request has it."""

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
    updated_at: datetime = Field(sa_type=UtcDateTime)


class RunRow(SQLModel, table=True):
    """A run: its plan, its lease and its outcome. `fence` grows with every lease."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_due", "state", "lease_until"), Index("ix_run_outcome", "state", "verdict"))

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
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tracking_id: str | None = None
    spent: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    reserved: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    schedule: str | None = Field(default=None, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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
    at: datetime = Field(sa_type=UtcDateTime)
    latency_ms: float | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    cost: float | None = None
    cached: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class EvidenceRow(SQLModel, table=True):
    """What a run showed of one candidate, with the digests of all that it rests on; never changed."""

    __tablename__ = "evidence"
    __table_args__ = (Index("ix_evidence_of", "project_id", "prompt", "digest"), UniqueConstraint("run_id", "variant"))

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    run_id: str = Field(foreign_key="run.id")
    variant: str
    prompt: str | None = None
    version: int | None = None
    digest: str
    model: str
    suite: str
    suite_digest: str
    dataset: str
    dataset_digest: str
    judges: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    context: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    verdict: str
    gates: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    target: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    at: datetime = Field(sa_type=UtcDateTime)
