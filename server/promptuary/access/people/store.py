"""Queries of people, memberships and external identities: a session in, domain values out."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select, update

from promptuary.access.identity import fold_name
from promptuary.access.role import Role
from promptuary.access.tables import ExternalIdentityRow, KeyRow, MembershipRow, PersonRow, ProjectRow, SessionRow


@dataclass(frozen=True)
class Membership:
    """A person's role in a project."""

    project: int
    project_name: str
    role: Role


@dataclass(frozen=True)
class Person:
    """A person, with the projects that they are a member of, by the projects' names."""

    id: str
    name: str
    created_at: datetime
    deactivated_at: datetime | None
    memberships: tuple[Membership, ...] = ()


def find_person(session: Session, person: str) -> Person | None:
    """Return a person by their id."""
    row = session.get(PersonRow, person, populate_existing=True)
    return _people(session, [row])[0] if row else None


def find_person_by_name(session: Session, name: str) -> Person | None:
    """Return the person of a name, in any case or form."""
    row = session.exec(select(PersonRow).where(PersonRow.folded_name == fold_name(name))).one_or_none()
    return _people(session, [row])[0] if row else None


def find_external_identity(session: Session, issuer: str, subject: str) -> Person | None:
    """Return who has a subject at an identity provider."""
    row = session.get(ExternalIdentityRow, (issuer, subject))
    return find_person(session, row.person_id) if row else None


def list_people(session: Session, project: int | None, after: str | None, limit: int) -> list[Person]:
    """List people by id: those of a project, or all."""
    query = select(PersonRow).order_by(PersonRow.id).limit(limit)
    if project is not None:
        query = query.join(MembershipRow, col(MembershipRow.person_id) == PersonRow.id)
        query = query.where(MembershipRow.project_id == project)
    if after is not None:
        query = query.where(PersonRow.id > after)
    return _people(session, list(session.exec(query)))


def add_person(session: Session, person: str, name: str, at: datetime) -> bool:
    """Store a new person and return True; return False when the name is taken."""
    row = PersonRow(id=person, name=name, folded_name=fold_name(name), created_at=at)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def add_external_identity(session: Session, issuer: str, subject: str, person: str, at: datetime) -> None:
    """Store who a person is at an identity provider."""
    session.add(ExternalIdentityRow(issuer=issuer, subject=subject, person_id=person, created_at=at))
    session.flush()


def set_role(session: Session, person: str, project: int, role: Role, at: datetime) -> None:
    """Make a person a member of a project, or change their role there."""
    row = session.get(MembershipRow, (person, project))
    if row is None:
        session.add(MembershipRow(person_id=person, project_id=project, role=role, created_at=at))
    else:
        row.role = role
        session.add(row)
    session.flush()


def remove_membership(session: Session, person: str, project: int) -> None:
    """End a person's membership in a project."""
    session.exec(delete(MembershipRow).where(col(MembershipRow.person_id) == person, col(MembershipRow.project_id) == project))


def deactivate(session: Session, person: str, at: datetime) -> None:
    """Mark a person deactivated."""
    session.exec(update(PersonRow).where(col(PersonRow.id) == person).values(deactivated_at=at))


def projects_of(session: Session, person: str) -> list[int]:
    """Return the projects in which a person has a membership, a key or a session, in the order in which they are locked."""
    rows = (MembershipRow, KeyRow, SessionRow)
    queries = [select(col(row.project_id)).where(col(row.person_id) == person).distinct() for row in rows]
    return sorted({project for query in queries for project in session.exec(query)})


def _people(session: Session, rows: list[PersonRow]) -> list[Person]:
    query = select(MembershipRow, ProjectRow.name).join(ProjectRow, col(ProjectRow.id) == MembershipRow.project_id)
    query = query.where(col(MembershipRow.person_id).in_([row.id for row in rows])).order_by(ProjectRow.name)
    memberships: dict[str, list[Membership]] = {}
    for row, name in session.exec(query.execution_options(populate_existing=True)):
        memberships.setdefault(row.person_id, []).append(Membership(row.project_id, name, Role(row.role)))
    return [Person(row.id, row.name, row.created_at, row.deactivated_at, tuple(memberships.get(row.id, ()))) for row in rows]
