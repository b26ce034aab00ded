"""The wire models of people and of their sessions."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Strict

from promptuary.access.people.store import Person
from promptuary.access.role import Role
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.prompt.name import Name


class NewPerson(RequestModel):
    """A person to create. `role` is theirs in the project; only an operator may leave it out."""

    name: NonEmptyText
    role: Annotated[Role, Strict(False)] | None = None
    project: Name | None = None


class NewRole(RequestModel):
    """A person's role in a project."""

    role: Annotated[Role, Strict(False)]


class MembershipOut(ResponseModel):
    """A person's role in a project."""

    project: str
    role: str


class PersonOut(ResponseModel):
    """A person, with the memberships that the caller may see."""

    id: str
    name: str
    created_at: datetime
    deactivated_at: datetime | None
    memberships: list[MembershipOut]

    @classmethod
    def of(cls, person: Person) -> Self:
        """Build it from the domain value."""
        memberships = [MembershipOut(project=each.project_name, role=each.role) for each in person.memberships]
        return cls.model_validate({**vars(person), "memberships": memberships})


class SignInCodeOut(ResponseModel):
    """A one-time code, which no other response contains."""

    code: str
    person: str
    name: str
    project: str
    expires_at: datetime


class SessionOut(ResponseModel):
    """A session of the caller, without its token. `current` marks the one that the request was sent in."""

    id: str
    project: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class OpenedSessionOut(ResponseModel):
    """A new session with its token, which no other response contains."""

    id: str
    token: str
    person: str
    name: str
    project: str
    expires_at: datetime
