"""The gate in front of every route: authenticate, check the declared scope, open the unit of work, commit before the answer.

A route declares its one scope with `allow(Scope.…)`; assembling the app fails for a route that declares none.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access import store
from promptuary.access.role import Scope
from promptuary.access.service import authenticate, local_caller
from promptuary.access.store import StoredResponse
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import freeze_clock
from promptuary.core.errors import InvalidRequest, NotAuthenticated
from promptuary.core.logs import redact_api_keys
from promptuary.prompt.name import Name

LOCAL_PROJECT = "promptuary.local"
REQUEST_BODY = "promptuary.body"
SCOPE_ATTRIBUTE = "declared_scope"
_KEY_LIMIT = 200
BeforeTransaction = Callable[[Request], Awaitable[None]]

PathName = Annotated[Name, Path()]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Cursor = Annotated[str | None, Query(max_length=1000)]


class ReplayedResponse(Exception):
    """Leaves the route at once with the answer that was kept under the idempotency key."""

    def __init__(self, answer: StoredResponse) -> None:
        """Keep the answer."""
        super().__init__("replayed")
        self.answer = answer


def authenticate_request(request: Request, *, basic: bool = False) -> Caller:
    """Find who asks, from the key in the Authorization header, or from the process itself (the local command line).

    Args:
        request: what was asked.
        basic: take the key as the password of HTTP Basic too, for programs that can send it no other way.

    Raises:
        NotAuthenticated: with the remedy.
    """
    state = request.app.state
    project = request.scope.get(LOCAL_PROJECT)
    if project is not None:
        return local_caller(state.database, state.clock(), project)
    key = key_from_header(request.headers.get("authorization", ""), basic=basic)
    with state.database.read() as session:
        return authenticate(session, key, state.clock())


def key_from_header(header: str, *, basic: bool = False) -> str:
    """Give the text of the key that an Authorization header carries.

    Raises:
        NotAuthenticated: where it carries none.
    """
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return given.strip()
    if not basic:
        raise NotAuthenticated("send an API key in the header `Authorization: Bearer pmt_…`")
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except ValueError:  # no base64, or no UTF-8
            password = ""
        if password:
            return password
    raise NotAuthenticated("send an API key `pmt_…` as the password of HTTP Basic, or as `Authorization: Bearer pmt_…`")


def authorize(scope: Scope, *, reads: bool = False, basic: bool = False, first: BeforeTransaction | None = None) -> Any:
    """Declare the scope of a route, and give it its unit of work.

    A GET reads. Everything else writes, in one transaction that is committed before the answer leaves; `reads=True` is for
    a POST that changes nothing. `basic=True` takes HTTP Basic besides Bearer. `first` is done when the caller is known and
    before the transaction begins, as to receive a large body.
    """

    async def unit(request: Request) -> AsyncIterator[UnitOfWork]:
        caller = await run_in_threadpool(_allowed, request, scope, basic)
        if first is not None:
            await first(request)
        writing = not reads and request.method not in ("GET", "HEAD")
        opened = _writing(request, caller) if writing else _reading(request, caller)
        async with request.app.state.turns.turn(writing=writing), contextmanager_in_threadpool(opened) as unit:
            yield unit

    setattr(unit, SCOPE_ATTRIBUTE, scope)
    return Depends(unit, scope="function")


def _allowed(request: Request, scope: Scope, basic: bool) -> Caller:
    caller = authenticate_request(request, basic=basic)
    caller.require(scope)
    return caller


@contextmanager
def _reading(request: Request, caller: Caller) -> Iterator[UnitOfWork]:
    state = request.app.state
    with state.database.read() as session:
        yield UnitOfWork(session, caller, state.clock, state.settings)


@contextmanager
def _writing(request: Request, caller: Caller) -> Iterator[UnitOfWork]:
    state = request.app.state
    with state.database.write() as session:
        unit = UnitOfWork(session, caller, freeze_clock(state.clock), state.settings)
        _replay(request, unit)
        yield unit


def authorize_caller(scope: Scope) -> Any:
    """Declare the scope of a route that opens its own short units of work, because it waits for a model in between."""

    def caller(request: Request) -> Caller:
        return _allowed(request, scope, basic=False)

    setattr(caller, SCOPE_ATTRIBUTE, scope)
    return Depends(caller)


def _replay(request: Request, unit: UnitOfWork) -> None:
    """Answer a retry at once, or remember that this write's answer is to be kept."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return
    if not 0 < len(key) <= _KEY_LIMIT:
        raise InvalidRequest(f"the header Idempotency-Key must have 1 to {_KEY_LIMIT} characters")
    body = request.scope.get(REQUEST_BODY, b"")
    store.lock_project(unit.session, unit.caller.project)  # two requests under one key: the second waits for the first's answer
    request_digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + body).hexdigest()
    known = store.find_response(unit.session, unit.caller.project, key)
    if known is None:
        request.state.store_response = lambda status, text: store.add_response(
            unit.session, unit.caller.project, key, StoredResponse(request_digest, status, text), unit.clock()
        )
    elif known.request_digest != request_digest:
        raise InvalidRequest("this Idempotency-Key was used for another request; take a new one")
    else:
        raise ReplayedResponse(known)


class IdempotentRoute(APIRoute):
    """A route that keeps a write's answer under its idempotency key, in the write's own transaction."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler; it runs inside the unit of work, before the commit."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await handle(request)
            except ReplayedResponse as replayed:
                return Response(replayed.answer.body, replayed.answer.status, media_type="application/json")
            keep = getattr(request.state, "store_response", None)
            if keep is not None and response.status_code < 300:
                await run_in_threadpool(keep, response.status_code, redact_api_keys(bytes(response.body).decode()))
            return response

        return handler
