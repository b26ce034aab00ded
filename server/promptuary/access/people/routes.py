"""People, their roles in projects, their sign-in codes and their sessions over HTTP."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from promptuary.access.auth.authentication import key_from_header
from promptuary.access.auth.declared_parts import refuse_undeclared_parts
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import (
    SCOPE_ATTRIBUTE,
    Authorization,
    Cursor,
    Limit,
    PathName,
    authorize,
    wrong_keys_answered_late,
)
from promptuary.access.credentials import not_valid, require_active_credential
from promptuary.access.people.schemas import NewPerson, NewRole, OpenedSessionOut, PersonOut, SessionOut, SignInCodeOut
from promptuary.access.people.service import PeopleService
from promptuary.access.role import Scope
from promptuary.access.sessions.service import OpenedSession, SessionService, sign_in_with_code, sign_in_with_key
from promptuary.access.sessions.store import SignInSession
from promptuary.access.sessions.token import SignInCode, parse_code
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.errors import InvalidRequest
from promptuary.core.wire import PageOf
from promptuary.http_server.scope import trust_connection

PersonId = Annotated[str, Path(alias="id", max_length=100)]
SessionId = Annotated[str, Path(alias="id", max_length=100)]
Manage = Annotated[UnitOfWork, authorize(Scope.PERSON_MANAGE)]
Own = Annotated[UnitOfWork, authorize(Scope.SESSION_OWN)]

_KEY = Authorization(Scope.SESSION_OWN)

router = APIRouter(prefix="/v1", tags=["access"], route_class=IdempotentRoute)


@router.post("/people", status_code=201)
def create_person(body: NewPerson, unit: Manage) -> PersonOut:
    """Create a person, with a role in the project."""
    return PersonOut.of(PeopleService(unit).create(body.name, body.role, body.project))


@router.get("/people")
def list_people(
    unit: Manage,
    name: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[PersonOut]:
    """List the people of the project, or the one of a name; an operator's key lists those of all projects."""
    people = PeopleService(unit)
    if name is not None:
        return PageOf[PersonOut](items=[PersonOut.of(person) for person in people.find(name)])
    page = people.people(min(limit, unit.settings.page_limit), cursor)
    return PageOf[PersonOut](items=[PersonOut.of(person) for person in page.items], next_cursor=page.next_cursor)


@router.get("/people/{id}")
def read_person(person: PersonId, unit: Manage) -> PersonOut:
    """Return a person."""
    return PersonOut.of(PeopleService(unit).get(person))


@router.post("/people/{id}/deactivate")
def deactivate_person(person: PersonId, unit: Manage) -> PersonOut:
    """Deactivate a person; their keys and sessions end at once."""
    return PersonOut.of(PeopleService(unit).deactivate(person))


@router.put("/people/{id}/memberships/{project}")
def put_membership(person: PersonId, project: PathName, body: NewRole, unit: Manage) -> PersonOut:
    """Make a person a member of a project, or change their role there; another project than the key's needs an operator."""
    return PersonOut.of(PeopleService(unit).set_role(person, body.role, project))


@router.delete("/people/{id}/memberships/{project}", status_code=204)
def remove_membership(person: PersonId, project: PathName, unit: Manage) -> None:
    """End a person's membership; their keys and sessions in the project end at once."""
    PeopleService(unit).remove_role(person, project)


@router.post("/people/{id}/codes", status_code=201)
def create_sign_in_code(person: PersonId, unit: Manage) -> SignInCodeOut:
    """Create a code that signs the person in to the project once, within ten minutes."""
    people = PeopleService(unit)
    created = people.create_code(person)
    return SignInCodeOut(
        code=str(created.code),
        person=person,
        name=people.get(person).name,
        project=unit.caller.project_name,
        expires_at=created.expires_at,
    )


async def _open_session(request: Request) -> OpenedSessionOut:
    """Open the session of a key or of a one-time code; a wrong one is answered as everywhere."""
    code = parse_code(key_from_header(request.headers.get("authorization", "")))
    if code is None:
        caller = await _KEY.find_caller(request)
        return await run_in_threadpool(_open_with_key, request, caller)
    async with wrong_keys_answered_late(request):
        opened = await run_in_threadpool(_open_with_code, request, code)
    trust_connection(request.scope)
    return opened


def _open_with_key(request: Request, caller: Caller) -> OpenedSessionOut:
    state = request.app.state
    _refuse_parts(request)
    with state.database.write() as session:
        now = state.clock()
        require_active_credential(session, caller, now)
        return opened_session_out(sign_in_with_key(session, caller, *_sign_in_of(request), now))


def _open_with_code(request: Request, code: SignInCode) -> OpenedSessionOut:
    """Open a session in one transaction; a wrong try is committed before the error."""
    with request.app.state.database.write() as session:
        opened = sign_in_with_code(session, code, *_sign_in_of(request), request.app.state.clock())
        if opened is not None:
            _refuse_parts(request)  # the code is not used then
            return opened_session_out(opened)
    raise not_valid()


def _sign_in_of(request: Request) -> tuple[str, timedelta]:
    """Return the program that signs in, and how long its session lasts."""
    return request.headers.get("user-agent", ""), timedelta(hours=request.app.state.settings.session_hours)


def _refuse_parts(request: Request) -> None:
    """Check that a request has no parameters, and by the header alone that it has no body.

    Raises:
        InvalidRequest: when it has some.
    """
    refuse_undeclared_parts(request)
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        raise InvalidRequest("the request has a body, and nothing reads it; send none")


setattr(_open_session, SCOPE_ATTRIBUTE, Scope.SESSION_OWN)


class _SignInRoute(IdempotentRoute):
    """A route that reads no body, so that a caller without a valid credential makes the server read nothing."""

    reads_body = False


def open_session(opened: Annotated[Any, Depends(_open_session)]) -> OpenedSessionOut:
    """Open a session: `Authorization: Bearer` has a personal key, or a one-time code `pmc_…`. It has no body.

    The token is in this response and nowhere else. A session may do what the person may do in the project, and no more than
    the key that opened it.
    """
    answer: OpenedSessionOut = opened
    return answer


router.add_api_route("/sessions", open_session, methods=["POST"], status_code=201, route_class_override=_SignInRoute)


@router.get("/sessions")
def list_sessions(unit: Own, limit: Limit = 50, cursor: Cursor = None) -> PageOf[SessionOut]:
    """List the caller's sessions that have not ended."""
    page = SessionService(unit).sessions(min(limit, unit.settings.page_limit), cursor)
    return PageOf[SessionOut](items=[_listed(unit, sign_in) for sign_in in page.items], next_cursor=page.next_cursor)


@router.delete("/sessions/{id}", status_code=204)
def end_session(session: SessionId, unit: Own) -> None:
    """End a session of the caller at once."""
    SessionService(unit).end(session)


@router.delete("/sessions", status_code=204)
def end_sessions(unit: Own) -> None:
    """End every session of the caller at once, in every project."""
    SessionService(unit).end_all()


def opened_session_out(opened: OpenedSession) -> OpenedSessionOut:
    """Build the response that contains a new session's token."""
    sign_in = opened.session
    return OpenedSessionOut(
        id=sign_in.id,
        token=str(opened.token),
        person=sign_in.person.id,
        name=sign_in.person.name,
        project=sign_in.project_name,
        expires_at=sign_in.expires_at,
    )


def _listed(unit: UnitOfWork, sign_in: SignInSession) -> SessionOut:
    return SessionOut(
        id=sign_in.id,
        project=sign_in.project_name,
        user_agent=sign_in.user_agent,
        created_at=sign_in.created_at,
        last_used_at=sign_in.last_used_at,
        expires_at=sign_in.expires_at,
        current=sign_in.id == unit.caller.session_id,
    )
