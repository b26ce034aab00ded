"""Authentication: whose key or session token a text is, and whether a caller's credential still stands."""

from contextlib import suppress
from datetime import datetime, timedelta

from promptuary.access import store
from promptuary.access.api_key import parse_key
from promptuary.access.identity import LOCAL, person_identity
from promptuary.access.keys.store import Key, find_key, find_member
from promptuary.access.role import Role
from promptuary.access.sessions.store import SignInSession, find_session, record_use
from promptuary.access.sessions.token import parse_token
from promptuary.access.unit_of_work import Caller
from promptuary.core.database import Database, Session
from promptuary.core.errors import NotAuthenticated, Unavailable

DEFAULT_PROJECT = "default"
USE_RECORDED_AFTER = timedelta(minutes=5)


def authenticate(session: Session, text: str, now: datetime) -> Caller:
    """Return the caller that the text of an API key or of a session token belongs to.

    Raises:
        NotAuthenticated: for one that is malformed, unknown, expired or revoked, or whose person is deactivated or no
            member of the project any more; the message is the same for each.
    """
    token = parse_token(text)
    if token is not None:
        sign_in = find_session(session, token.id)
        if sign_in is None or not token.matches(sign_in.hash) or not sign_in.is_active(now):
            raise not_valid()
        return _caller_of_session(sign_in)
    api_key = parse_key(text)
    key = find_key(session, api_key.id) if api_key else None
    if api_key is None or key is None or not api_key.matches(key.hash) or not key.is_active(now):
        raise not_valid()
    return _caller_of_key(session, key)


def require_active_credential(session: Session, caller: Caller, now: datetime) -> None:
    """Check that the key or session of an authenticated caller has not ended since, and that it may do as much as then.

    Between authentication and the transaction a request may wait: for a slot, or for the rest of its body.

    Raises:
        NotAuthenticated: as `authenticate` does. A caller without a credential always passes.
    """
    if caller.session_id is not None:
        sign_in = find_session(session, caller.session_id)
        is_active = sign_in is not None and sign_in.is_active(now) and sign_in.scopes >= caller.scopes
    elif caller.key_id is not None:
        key = find_key(session, caller.key_id)
        is_active = key is not None and key.is_active(now) and key.scopes >= caller.scopes
    else:
        return
    if not is_active:
        raise not_valid()


def local_caller(database: Database, now: datetime, project_name: str = DEFAULT_PROJECT) -> Caller:
    """Return the operator of this machine, who has the data directory itself; create the project if it does not exist."""
    with database.read() as session:
        project = store.find_project(session, project_name)
    if project is None:
        with database.write() as session:
            project = store.get_or_create_project(session, project_name, now)
    return Caller(project.id, project.name, LOCAL, Role.OPERATOR)


def record_session_use(database: Database, caller: Caller, now: datetime) -> None:
    """Store that the caller's session is used, if it was not for some minutes; a busy database prevents nothing."""
    if caller.session_id is None or caller.session_used_at is None or now - caller.session_used_at < USE_RECORDED_AFTER:
        return
    with suppress(Unavailable), database.write() as session:
        record_use(session, caller.session_id, now)


def has_ended(session: Session, project: int, identity: str) -> bool:
    """Return whether work in the name of an identity is to stop: its key was revoked, or the person left the project.

    A key that expires by itself stops nothing that it has begun, and neither does the end of one of several keys of a person.
    """
    kind, _, number = identity.partition(":")
    if kind == "person":
        member = find_member(session, number, project)
        return member is None or not member.is_active
    if kind == "service":
        key = find_key(session, number)
        return key is None or key.revoked_at is not None
    return False


def not_valid() -> NotAuthenticated:
    """Return the error of every credential that is not valid, whatever the reason."""
    return NotAuthenticated("the key is not valid; check that it was copied completely, or create a new one")


def _caller_of_key(session: Session, key: Key) -> Caller:
    project = store.get_project(session, key.project)
    assert project is not None
    return Caller(
        project.id,
        project.name,
        key.identity,
        key.role,
        display_name=key.display_name,
        allowed=key.scopes,
        expires_at=key.expires_at,
        key_id=key.id,
        person_id=key.person.id if key.person else None,
        former_identity=key.former_identity if key.person is None else None,
    )


def _caller_of_session(sign_in: SignInSession) -> Caller:
    return Caller(
        sign_in.project,
        sign_in.project_name,
        person_identity(sign_in.person.id),
        sign_in.person.role or Role.VIEWER,
        display_name=sign_in.person.name,
        allowed=sign_in.scopes,
        expires_at=sign_in.expires_at,
        session_id=sign_in.id,
        session_used_at=sign_in.last_used_at,
        person_id=sign_in.person.id,
    )
