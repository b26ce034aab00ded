"""The rules of sign-in sessions: what opens one, how long it lasts, and who ends it.

An identity provider's sign-in calls `open_session` too, after it has found the person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from promptuary.access import audit, store
from promptuary.access.api_key import ApiKey
from promptuary.access.audit import Change
from promptuary.access.identity import person_identity
from promptuary.access.keys.store import Key, find_key, find_member
from promptuary.access.role import Scope
from promptuary.access.sessions import store as session_store
from promptuary.access.sessions.store import SignInSession, StoredCode
from promptuary.access.sessions.token import SignInCode, generate_code, generate_token
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.database import Session
from promptuary.core.errors import Conflict, Forbidden, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.text import show_hidden

CODE_MINUTES = 10
CODE_TRIES = 5
USER_AGENT_LIMIT = 200


@dataclass(frozen=True)
class SignIn:
    """A sign-in that was authenticated.

    Attributes:
        person: the person's id.
        project: the project's number.
        method: what authenticated it: `key`, `code` or the name of an identity provider; for the audit chain.
        user_agent: the program that signs in, as it names itself.
        lifetime: how long the session lasts at most.
        key: the key that opens it, without which it ends.
    """

    person: str
    project: int
    method: str
    user_agent: str
    lifetime: timedelta
    key: Key | None = None


@dataclass(frozen=True)
class OpenedSession:
    """A new session with its token, which is not stored."""

    session: SignInSession
    token: ApiKey


@dataclass(frozen=True)
class CreatedCode:
    """A new one-time code with its text, which is not stored."""

    code: SignInCode
    expires_at: datetime


def open_session(session: Session, sign_in: SignIn, now: datetime) -> OpenedSession:
    """Open a session for a person in a project; the audit chain records it.

    Raises:
        Forbidden: when the person is deactivated, or may not sign in to the project.
    """
    member = find_member(session, sign_in.person, sign_in.project)
    if member is None or not member.is_active or Scope.SESSION_OWN not in member.scopes:
        raise Forbidden("this person cannot sign in to the project; they need a role in it that people have")
    project = store.get_project(session, sign_in.project)
    assert project is not None
    token, expires_at = generate_token(), now + sign_in.lifetime
    if sign_in.key is not None and sign_in.key.expires_at is not None:
        expires_at = min(expires_at, sign_in.key.expires_at)
    opened = SignInSession(
        id=token.id,
        project=sign_in.project,
        project_name=project.name,
        person=member,
        key=sign_in.key,
        hash=token.secret_hash(),
        user_agent=show_hidden(sign_in.user_agent, newlines=False)[:USER_AGENT_LIMIT],
        created_at=now,
        last_used_at=now,
        expires_at=expires_at,
    )
    session_store.add_session(session, opened)
    change = Change(person_identity(member.id), "session.opened", opened.id, {"method": sign_in.method}, now)
    audit.append_entry(session, sign_in.project, change)
    return OpenedSession(opened, token)


def sign_in_with_key(session: Session, caller: Caller, user_agent: str, lifetime: timedelta, now: datetime) -> OpenedSession:
    """Open a session for the person whose key the caller has; it may do no more than the key, and ends with it.

    Raises:
        Conflict: for a key that is no person's, and for a session, which cannot open another.
    """
    if caller.session_id is not None:
        raise Conflict("a session cannot open another one; sign in with a key or a code")
    if caller.person_id is None or caller.key_id is None:
        raise Conflict("the key is a service's, and only people sign in; take a personal key or a one-time code")
    key = find_key(session, caller.key_id)
    return open_session(session, SignIn(caller.person_id, caller.project, "key", user_agent, lifetime, key), now)


def sign_in_with_code(
    session: Session, code: SignInCode, user_agent: str, lifetime: timedelta, now: datetime
) -> OpenedSession | None:
    """Open the session of a one-time code; return None for a code that is wrong, used, expired or tried too often.

    A wrong try is counted in the transaction, which must be committed.
    """
    stored = session_store.lock_code(session, code.id)
    if stored is None or stored.used_at is not None or now >= stored.expires_at or stored.failures >= CODE_TRIES:
        return None
    if not code.matches(stored.hash):
        session_store.count_failure(session, stored.id)
        return None
    session_store.use_code(session, stored.id, now)
    try:
        return open_session(session, SignIn(stored.person, stored.project, "code", user_agent, lifetime), now)
    except Forbidden:  # deactivated, or no member any more
        return None


def create_code(session: Session, person: str, project: int, now: datetime) -> CreatedCode:
    """Create a code for a person in a project; the caller has checked who may do that, and records it."""
    expires_at = now + timedelta(minutes=CODE_MINUTES)
    session_store.remove_old_codes(session, now - timedelta(minutes=CODE_MINUTES))
    while True:  # the id of a code is short, so one may be taken
        code = generate_code()
        if session_store.add_code(session, StoredCode(code.id, person, project, code.secret_hash(), now, expires_at)):
            return CreatedCode(code, expires_at)


@dataclass(frozen=True)
class SessionService:
    """The caller's own sessions; a service has none."""

    unit: UnitOfWork

    def sessions(self, limit: int, cursor: str | None) -> Page[SignInSession]:
        """List the caller's sessions that have not ended, in all projects, by id."""
        unit, after = self.unit, decode_cursor(cursor, str)
        person = unit.caller.person_id
        rows = session_store.list_sessions(unit.session, person, unit.clock(), after, limit + 1) if person else []
        return build_page(rows, limit, lambda sign_in: sign_in.id)

    def end(self, session_id: str) -> None:
        """End one of the caller's sessions at once; ending it again changes nothing.

        Raises:
            NotFound: when the caller has no such session.
        """
        sign_in = session_store.find_session(self.unit.session, session_id)
        if sign_in is None or sign_in.person.id != self.unit.caller.person_id:
            raise NotFound(f"you have no session '{session_id}'")
        self._end(session_id)

    def end_all(self) -> None:
        """End every session of the caller at once, in all projects."""
        self._end(None)

    def _end(self, session_id: str | None) -> None:
        session, now, person = self.unit.session, self.unit.clock(), self.unit.caller.person_id
        ended = session_store.end_sessions(session, person, now, session_id=session_id) if person else []
        for project in sorted({project for _, project in ended}):
            store.next_access_revision(session, project)
            for ended_id, its_project in sorted(ended):
                if its_project == project:
                    change = Change(self.unit.caller.identity, "session.ended", ended_id, {}, now)
                    audit.append_entry(session, project, change)
