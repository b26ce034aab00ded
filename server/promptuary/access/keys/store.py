"""Queries of keys: a session in, domain values out. A key of a person is read with the person's state and role of today."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_
from sqlmodel import Session, col, select, update

from promptuary.access.identity import key_display_name, person_identity, service_identity
from promptuary.access.role import SCOPES, Role, Scope, format_grants, parse_grants
from promptuary.access.store import next_access_revision
from promptuary.access.tables import KeyRow, MembershipRow, PersonRow


@dataclass(frozen=True)
class Member:
    """A person as they are in one project today; `role` is None for one who is not a member of it."""

    id: str
    name: str
    role: Role | None
    deactivated_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether the person may do anything in the project."""
        return self.deactivated_at is None and self.role is not None

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes of the person's role today."""
        return SCOPES[self.role] if self.role is not None and self.is_active else frozenset()


@dataclass(frozen=True)
class Key:
    """A stored key; its text is not stored.

    Attributes:
        id: the key's id, which is part of its text.
        project: the project's number.
        name: by which people recognize it.
        role: what it may do, without its grants.
        hash: of its secret.
        created_at: when it was created.
        expires_at: when it ends by itself; None for never.
        revoked_at: when it was revoked.
        person: whose it is; None for a service's key.
        grants: scopes beyond those of the role.
        former_identity: how rows of releases before 0.5.0 name it, where it is known to be the one.
    """

    id: str
    project: int
    name: str
    role: Role
    hash: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    person: Member | None = None
    grants: frozenset[Scope] = frozenset()
    former_identity: str | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired, and its person may do anything in the project."""
        is_ended = self.revoked_at is not None or (self.expires_at is not None and now >= self.expires_at)
        return not is_ended and (self.person is None or self.person.is_active)

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the key may do today: its role and grants, and of a person's key only what the person may do."""
        own = SCOPES[self.role] | self.grants
        return own if self.person is None else own & self.person.scopes

    @property
    def identity(self) -> str:
        """What rows contain for who uses the key."""
        return service_identity(self.id) if self.person is None else person_identity(self.person.id)

    @property
    def display_name(self) -> str:
        """The name that people see for who uses the key."""
        return key_display_name(self.name) if self.person is None else self.person.name


def find_key(session: Session, key: str) -> Key | None:
    """Return a key by its id, in any project."""
    row = session.exec(_keys().where(KeyRow.id == key)).one_or_none()
    return key_from_row(*row) if row else None


def list_keys(session: Session, project: int, after: str | None, limit: int) -> list[Key]:
    """List a project's keys by id, including revoked ones."""
    query = _keys().where(KeyRow.project_id == project).order_by(KeyRow.id).limit(limit)
    if after is not None:
        query = query.where(KeyRow.id > after)
    return [key_from_row(*row) for row in session.exec(query)]


def add_key(session: Session, key: Key) -> None:
    """Store a new key."""
    next_access_revision(session, key.project)
    session.add(
        KeyRow(
            id=key.id,
            project_id=key.project,
            name=key.name,
            role=key.role,
            hash=key.hash,
            created_at=key.created_at,
            expires_at=key.expires_at,
            person_id=key.person.id if key.person else None,
            grants=format_grants(key.grants),
        )
    )
    session.flush()


def revoke_key(session: Session, key: Key, at: datetime) -> None:
    """Mark a key revoked."""
    next_access_revision(session, key.project)
    session.exec(update(KeyRow).where(col(KeyRow.id) == key.id).values(revoked_at=at))


def revoke_keys_of(session: Session, person: str, at: datetime, project: int | None = None) -> None:
    """Mark the keys of a person revoked, in all projects or in one; the caller counts the access revisions."""
    change = update(KeyRow).where(col(KeyRow.person_id) == person, col(KeyRow.revoked_at).is_(None))
    if project is not None:
        change = change.where(col(KeyRow.project_id) == project)
    session.exec(change.values(revoked_at=at))


def _keys() -> Any:
    is_member = and_(col(MembershipRow.person_id) == KeyRow.person_id, col(MembershipRow.project_id) == KeyRow.project_id)
    return (
        select(KeyRow, PersonRow, MembershipRow.role)
        .outerjoin(PersonRow, col(PersonRow.id) == KeyRow.person_id)
        .outerjoin(MembershipRow, is_member)
        .execution_options(populate_existing=True)
    )


def find_member(session: Session, person: str, project: int) -> Member | None:
    """Return a person as they are in a project today; None for an unknown id."""
    is_member = and_(col(MembershipRow.person_id) == PersonRow.id, col(MembershipRow.project_id) == project)
    query = select(PersonRow, MembershipRow.role).outerjoin(MembershipRow, is_member).where(PersonRow.id == person)
    row = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    return member_from_row(*row) if row else None


def key_from_row(row: KeyRow, person: PersonRow | None, role: str | None) -> Key:
    """Return the domain value of a key's row, with its person's and their role in the project."""
    return Key(
        id=row.id,
        project=row.project_id,
        name=row.name,
        role=Role(row.role),
        hash=row.hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        person=member_from_row(person, role) if person else None,
        grants=parse_grants(row.grants),
        former_identity=row.former_identity,
    )


def member_from_row(person: PersonRow, role: str | None) -> Member:
    """Return the domain value of a person's row, with their role in a project."""
    return Member(person.id, person.name, Role(role) if role else None, person.deactivated_at)
