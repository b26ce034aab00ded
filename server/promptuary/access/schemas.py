"""The request and response models of the access routes."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, Strict

from promptuary.access.identity import shown_name
from promptuary.access.keys.store import Key
from promptuary.access.role import Role, Scope
from promptuary.access.service import KeyHolder
from promptuary.access.store import AuditEntry
from promptuary.access.unit_of_work import Caller
from promptuary.core.database import Session
from promptuary.core.paging import Page
from promptuary.core.wire import NonEmptyText, PageOf, RequestModel, ResponseModel
from promptuary.prompt.name import Name


class NewProject(RequestModel):
    """A project to create."""

    name: Name


class ProjectOut(ResponseModel):
    """A project."""

    name: str
    created_at: datetime


class NewKey(RequestModel):
    """A key to create: a person's, by their id, or a service's. `grants` allow a pipeline more than its role."""

    name: NonEmptyText
    role: Annotated[Role, Strict(False)]
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    project: Name | None = None
    person: NonEmptyText | None = None
    grants: Annotated[list[Annotated[Scope, Strict(False)]], Field(max_length=20)] = Field(default_factory=list)

    def holder(self) -> KeyHolder:
        """Return whose it will be, and what it is allowed beyond its role."""
        return KeyHolder(self.person, frozenset(self.grants))


class KeyOut(ResponseModel):
    """A key, without its text. `person` is the name of whose it is; a service's key has none."""

    id: str
    name: str
    role: str
    grants: list[str]
    person: str | None
    person_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, stored: Key, **more: str) -> Self:
        """Build it from the domain value."""
        person = stored.person
        owner = {"person": person.name if person else None, "person_id": person.id if person else None}
        return cls.model_validate({**vars(stored), **owner, "grants": sorted(stored.grants), **more})


def page_of_keys(page: Page[Key]) -> PageOf[KeyOut]:
    """Build a page of keys from the domain values."""
    return PageOf[KeyOut](items=[KeyOut.of(key) for key in page.items], next_cursor=page.next_cursor)


class CreatedKeyOut(KeyOut):
    """A new key with its text, which no other response contains."""

    key: str


class AuditEntryOut(ResponseModel):
    """One row of the audit chain. `actor` is the name of who did it; `actor_id` is in the row, and covered by its digest."""

    sequence: int
    at: datetime
    actor: str
    actor_id: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    digest: str

    @classmethod
    def of(cls, session: Session, entry: AuditEntry) -> Self:
        """Build it from the domain value, with the name that its identity has today."""
        return cls.model_validate({**vars(entry), "actor": shown_name(session, entry.actor), "actor_id": entry.actor})


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
    """Whose key or session it is, and what it may do."""

    project: str
    actor: str
    actor_id: str
    role: str
    scopes: list[str]

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Build it from the domain value."""
        return cls(
            project=caller.project_name,
            actor=caller.name,
            actor_id=caller.identity,
            role=caller.role,
            scopes=sorted(caller.scopes),
        )
