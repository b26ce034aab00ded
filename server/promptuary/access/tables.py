"""The tables of projects, people, keys, sessions, the audit chain and stored responses; private to this folder."""

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


class PersonRow(SQLModel, table=True):
    """A person, of the whole installation. `folded_name` is unique, so that no two names look alike by case or form."""

    __tablename__ = "person"

    id: str = Field(primary_key=True)
    name: str
    folded_name: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    deactivated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class MembershipRow(SQLModel, table=True):
    """A person's role in a project."""

    __tablename__ = "membership"

    person_id: str = Field(foreign_key="person.id", primary_key=True)
    project_id: int = Field(foreign_key="project.id", primary_key=True, index=True)
    role: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class ExternalIdentityRow(SQLModel, table=True):
    """Who a person is at an identity provider."""

    __tablename__ = "external_identity"

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


class KeyRow(SQLModel, table=True):
    """An API key; its secret is not stored. Without a person it is a service's.

    `grants` are scopes beyond those of the role, with spaces between. `former_identity` is how releases before 0.5.0 named
    the key in their rows; it is set where no other key of the project had the same name.
    """

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    name: str
    role: str
    hash: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    person_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    grants: str | None = None
    former_identity: str | None = None


class SessionRow(SQLModel, table=True):
    """A person's sign-in to a project; its token is not stored. `key_id` is the key that opened it, where a key did."""

    __tablename__ = "sign_in_session"

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    key_id: str | None = Field(default=None, foreign_key="api_key.id")
    hash: str
    user_agent: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInCodeRow(SQLModel, table=True):
    """A code that opens one session; `failures` counts wrong tries, after a few of which it ends."""

    __tablename__ = "sign_in_code"

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    hash: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    failures: int = 0
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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

    `key` is `owner`, the API key or session that wrote, and the digest of the header. Rows of earlier releases have the header
    itself, and those before 0.5.0 no owner.

    Rows of releases before 0.4.0 do not record which contents their response has; `contents_known` is false in them.
    """

    __tablename__ = "idempotency"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    key: str = Field(primary_key=True)
    request_digest: str
    status: int
    body: str
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
    owner: str | None = None
    etag: str | None = None
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
