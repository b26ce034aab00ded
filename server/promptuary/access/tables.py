"""The tables of projects, keys, the audit chain and stored responses; private to this folder."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, UniqueConstraint, false
from sqlmodel import Column, Field, SQLModel

from promptuary.core.database import UtcDateTime


class ProjectRow(SQLModel, table=True):
    """A project, with the counters that order its changes."""

    __tablename__ = "project"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    revision: int = 0
    access_revision: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    audit_sequence: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)


class KeyRow(SQLModel, table=True):
    """An API key; its secret is not stored."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    name: str
    role: str
    hash: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AuditRow(SQLModel, table=True):
    """One change, chained to the one before it by digest; never updated, never deleted."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("project_id", "sequence"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sequence: int
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    previous: str
    digest: str


class IdempotencyRow(SQLModel, table=True):
    """A write under an `Idempotency-Key`, and the response that a retry gets.

    Rows of releases before 0.4.0 do not record which contents their response has; `contents_known` is false in them.
    """

    __tablename__ = "idempotency"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    key: str = Field(primary_key=True)
    request_digest: str
    status: int
    body: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    contents_known: bool = Field(default=True, sa_column_kwargs={"server_default": false()})


class IdempotencyContentRow(SQLModel, table=True):
    """A version whose content the response under an `Idempotency-Key` can contain."""

    __tablename__ = "idempotency_content"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "key"], ["idempotency.project_id", "idempotency.key"]),
        Index("ix_idempotency_content_version", "project_id", "prompt", "version"),
    )

    project_id: int = Field(primary_key=True)
    key: str = Field(primary_key=True)
    prompt: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
