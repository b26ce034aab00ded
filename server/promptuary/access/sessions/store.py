"""Queries of sign-in sessions and of the codes that open them: a session in, domain values out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import Session, col, delete, select, update

from promptuary.access.keys.store import Key, Member, key_from_row, member_from_row
from promptuary.access.role import Scope
from promptuary.access.tables import KeyRow, MembershipRow, PersonRow, ProjectRow, SessionRow, SignInCodeRow


@dataclass(frozen=True)
class SignInSession:
    """A person's sign-in to one project; its token is not stored.

    Attributes:
        id: the session's id, which is part of its token.
        project: the project's number.
        project_name: its name.
        person: the person, as they are in the project today.
        key: the key that opened it, without which it ends; None where a code or an identity provider opened it.
        hash: of the token's secret.
        user_agent: the program that opened it, as it named itself.
        created_at: when it was opened.
        last_used_at: when it was last used, to within some minutes.
        expires_at: when it ends by itself; not after its key.
        revoked_at: when it was ended.
    """

    id: str
    project: int
    project_name: str
    person: Member
    key: Key | None
    hash: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether it has not ended, and neither have its person's membership and its key."""
        is_ended = self.revoked_at is not None or now >= self.expires_at
        return not is_ended and self.person.is_active and (self.key is None or self.key.is_active(now))

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the person may do in it today; no more than the key that opened it."""
        return self.person.scopes if self.key is None else self.person.scopes & self.key.scopes


@dataclass(frozen=True)
class StoredCode:
    """A one-time code; its text is not stored."""

    id: str
    person: str
    project: int
    hash: str
    created_at: datetime
    expires_at: datetime
    failures: int = 0
    used_at: datetime | None = None


def find_session(session: Session, session_id: str) -> SignInSession | None:
    """Return a sign-in session by its id, in any project."""
    row = session.exec(_sessions().where(SessionRow.id == session_id)).one_or_none()
    return _session_from_row(*row) if row else None


def list_sessions(session: Session, person: str, now: datetime, after: str | None, limit: int) -> list[SignInSession]:
    """List a person's sessions in all projects that have not ended, by id."""
    is_ended = or_(
        col(SessionRow.revoked_at).is_not(None), col(KeyRow.revoked_at).is_not(None), col(SessionRow.expires_at) <= now
    )
    query = _sessions().where(SessionRow.person_id == person, ~is_ended)
    if after is not None:
        query = query.where(SessionRow.id > after)
    return [_session_from_row(*row) for row in session.exec(query.order_by(SessionRow.id).limit(limit))]


def add_session(session: Session, new: SignInSession) -> None:
    """Store a new session."""
    session.add(
        SessionRow(
            id=new.id,
            person_id=new.person.id,
            project_id=new.project,
            key_id=new.key.id if new.key else None,
            hash=new.hash,
            user_agent=new.user_agent,
            created_at=new.created_at,
            last_used_at=new.last_used_at,
            expires_at=new.expires_at,
        )
    )
    session.flush()


def record_use(session: Session, session_id: str, at: datetime) -> None:
    """Store when a session was last used."""
    change = update(SessionRow).where(col(SessionRow.id) == session_id, col(SessionRow.last_used_at) < at)
    session.exec(change.values(last_used_at=at))


def end_sessions(
    session: Session,
    person: str,
    at: datetime,
    *,
    session_id: str | None = None,
    project: int | None = None,
) -> list[tuple[str, int]]:
    """Mark sessions of a person as ended: one, those of a project, or all; return the id and project of each.

    The caller counts the access revisions.
    """
    change = update(SessionRow).where(col(SessionRow.person_id) == person, col(SessionRow.revoked_at).is_(None))
    if session_id is not None:
        change = change.where(col(SessionRow.id) == session_id)
    if project is not None:
        change = change.where(col(SessionRow.project_id) == project)
    rows = session.execute(change.values(revoked_at=at).returning(col(SessionRow.id), col(SessionRow.project_id)))
    return [(row[0], row[1]) for row in rows]


def add_code(session: Session, code: StoredCode) -> bool:
    """Store a new code and return True; return False where a code of this id is stored already."""
    if session.get(SignInCodeRow, code.id) is not None:
        return False
    session.add(
        SignInCodeRow(
            id=code.id,
            person_id=code.person,
            project_id=code.project,
            hash=code.hash,
            created_at=code.created_at,
            expires_at=code.expires_at,
        )
    )
    session.flush()
    return True


def remove_old_codes(session: Session, before: datetime) -> None:
    """Delete the codes that ended before a time, so that their short ids are free again; the audit chain has the rest."""
    session.exec(delete(SignInCodeRow).where(col(SignInCodeRow.expires_at) < before))


def lock_code(session: Session, code_id: str) -> StoredCode | None:
    """Return a code by its id, and lock it until the transaction ends, so that it is tried and used by one at a time."""
    query = select(SignInCodeRow).where(SignInCodeRow.id == code_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return None
    return StoredCode(
        row.id, row.person_id, row.project_id, row.hash, row.created_at, row.expires_at, row.failures, row.used_at
    )


def count_failure(session: Session, code_id: str) -> None:
    """Count a wrong try of a code."""
    row = SignInCodeRow
    session.exec(update(row).where(col(row.id) == code_id).values(failures=row.failures + 1))


def use_code(session: Session, code_id: str, at: datetime) -> None:
    """Mark a code used."""
    session.exec(update(SignInCodeRow).where(col(SignInCodeRow.id) == code_id).values(used_at=at))


def end_codes(session: Session, person: str, at: datetime, project: int | None = None) -> None:
    """Mark the codes of a person used, in all projects or in one."""
    row = SignInCodeRow
    change = update(row).where(col(row.person_id) == person, col(row.used_at).is_(None))
    if project is not None:
        change = change.where(col(row.project_id) == project)
    session.exec(change.values(used_at=at))


def _sessions() -> Any:
    is_member = and_(
        col(MembershipRow.person_id) == SessionRow.person_id, col(MembershipRow.project_id) == SessionRow.project_id
    )
    return (
        select(SessionRow, PersonRow, MembershipRow.role, KeyRow)
        .add_columns(col(ProjectRow.name))
        .join(ProjectRow, col(ProjectRow.id) == SessionRow.project_id)
        .join(PersonRow, col(PersonRow.id) == SessionRow.person_id)
        .outerjoin(KeyRow, col(KeyRow.id) == SessionRow.key_id)
        .outerjoin(MembershipRow, is_member)
        .execution_options(populate_existing=True)
    )


def _session_from_row(
    row: SessionRow, person: PersonRow, role: str | None, key: KeyRow | None, project_name: str
) -> SignInSession:
    """Return the domain value; the key that opened a session is one of its person in its project."""
    return SignInSession(
        id=row.id,
        project=row.project_id,
        project_name=project_name,
        person=member_from_row(person, role),
        key=key_from_row(key, person, role) if key else None,
        hash=row.hash,
        user_agent=row.user_agent,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
