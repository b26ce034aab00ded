"""What the access routes take and answer."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from promptuary.base.wire import Labelled, Received, Sent
from promptuary.prompt.name import Name

RoleName = Literal["reader", "reviewer", "ci", "author", "admin", "operator"]


class NewProject(Received):
    """A project to make."""

    name: Name


class ProjectOut(Sent):
    """A project."""

    name: str
    created_at: datetime


class NewKey(Received):
    """A key to make."""

    name: Labelled
    role: RoleName
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    project: Name | None = None


class KeyOut(Sent):
    """What is known of a key."""

    id: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyMade(KeyOut):
    """A new key with its text, which is shown this once."""

    key: str


class EntryOut(Sent):
    """One row of the audit chain."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    digest: str


class VerificationOut(Sent):
    """What a walk over the chain found."""

    rows: int
    broken_at: int | None
    reason: str | None


class Self(Sent):
    """Who the key belongs to, and what it may do."""

    project: str
    actor: str
    role: str
    scopes: list[str]
