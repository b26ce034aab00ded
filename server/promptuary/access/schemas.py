"""The request and response models of the access routes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.prompt.name import Name

RoleName = Literal["reader", "reviewer", "ci", "author", "admin", "operator"]


class NewProject(RequestModel):
    """A project to create."""

    name: Name


class ProjectOut(ResponseModel):
    """A project."""

    name: str
    created_at: datetime


class NewKey(RequestModel):
    """A key to create."""

    name: NonEmptyText
    role: RoleName
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    project: Name | None = None


class KeyOut(ResponseModel):
    """A key, without its text."""

    id: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKeyOut(KeyOut):
    """A new key with its text, which no other response contains."""

    key: str


class AuditEntryOut(ResponseModel):
    """One row of the audit chain."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    digest: str


class AuditHeadOut(ResponseModel):
    """The head of the audit chain: its length, and its last row's digest and time (null where there is no row)."""

    project: str
    sequence: int
    digest: str
    at: datetime | None


class VerificationOut(ResponseModel):
    """The result of verifying the audit chain."""

    rows: int
    broken_at: int | None
    reason: str | None


class CallerOut(ResponseModel):
    """Whose key it is, and what it may do."""

    project: str
    actor: str
    role: str
    scopes: list[str]
