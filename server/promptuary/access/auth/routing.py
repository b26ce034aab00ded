"""What a route declares: its one scope, and with it its unit of work, which is committed before the response leaves.

A caller who may use the route gets an error for a part of the request that the route does not declare.

Assembling the app fails for a route that declares no scope (`promptuary.api.routers`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from promptuary.access.auth.authentication import KeyPlace, authenticate_request
from promptuary.access.auth.conditions import refuse_conditions
from promptuary.access.auth.declared_parts import refuse_undeclared_parts
from promptuary.access.auth.idempotency import replay_or_record
from promptuary.access.auth.rate_limits import RateLimits
from promptuary.access.auth.request import AUTHORIZATION_ATTRIBUTE, CALLER
from promptuary.access.credentials import record_session_use, require_active_credential
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import freeze_clock
from promptuary.core.errors import NotAuthenticated
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.http_server.scope import trust_connection
from promptuary.prompt.name import Name

LOOKUP_PATH = "/v1/prompts/{name}"
SCOPE_ATTRIBUTE = "declared_scope"
"""The attribute of a dependency that names the scope which it checks."""
CHANGE_SCOPE_ATTRIBUTE = "declared_change_scope"
"""The attribute of a dependency that names the scope which a change needs beyond that; None for none."""


@dataclass(frozen=True)
class Authorization:
    """What a route demands of its caller, and the ways in which it takes the key besides Bearer."""

    scope: Scope
    key_place: KeyPlace = KeyPlace.BEARER

    async def find_caller(self, request: Request) -> Caller:
        """Return the caller, once a request; nothing of the body has been read at the first call.

        Raises:
            NotAuthenticated, Forbidden: with the remedy.
        """
        caller: Caller | None = request.scope.get(CALLER)
        if caller is None:
            async with wrong_keys_answered_late(request):
                caller = await run_in_threadpool(authenticate_request, request, self.key_place)
            trust_connection(request.scope)
            caller.require(self.scope)
            rate_limits: RateLimits = request.app.state.rate_limits
            rate_limits.count_request(caller.credential_id, is_lookup=_is_lookup(request))
            request.scope[CALLER] = caller
            if caller.session_id is not None:
                state = request.app.state
                await run_in_threadpool(record_session_use, state.database, caller, state.clock())
        return caller


@asynccontextmanager
async def wrong_keys_answered_late(request: Request) -> AsyncIterator[None]:
    """Count a key that the block finds to be wrong, and delay its error; after many of them the answer is 429."""
    try:
        yield
    except NotAuthenticated:
        if "authorization" not in request.headers and "x-api-key" not in request.headers:
            raise
        rate_limits: RateLimits = request.app.state.rate_limits
        delay = rate_limits.count_wrong_key(request.client.host if request.client else None)
        if delay:
            rate_limits.begin_delay()
            try:
                await asyncio.sleep(delay)
            finally:
                rate_limits.end_delay()
        raise


def _is_lookup(request: Request) -> bool:
    return request.method == "GET" and getattr(request.scope.get("route"), "path", None) == LOOKUP_PATH


BeforeTransaction = Callable[[Request], Awaitable[None]]

PathName = Annotated[Name, Path()]
Limit = Annotated[int, Query(ge=1, le=10_000), STRICT_INTEGER]
Cursor = Annotated[str | None, Query(max_length=1000)]


def authorize(
    scope: Scope,
    *,
    changes: Scope | None = None,
    reads: bool = False,
    key_place: KeyPlace = KeyPlace.BEARER,
    conditional: bool = False,
    before_transaction: BeforeTransaction | None = None,
) -> Any:
    """Return the dependency that checks a route's scope and yields its `UnitOfWork`.

    A GET reads. Every other method writes, in one transaction that is committed before the response leaves.

    Args:
        scope: what the caller must have.
        changes: what the caller must also have where the request changes something; the service checks it, and it is
            declared for the table of roles.
        reads: whether a method other than GET changes nothing, too.
        key_place: where the key may be besides `Authorization: Bearer`.
        conditional: whether the route checks If-Match and If-None-Match itself; every other write refuses them.
        before_transaction: awaited after the caller is authorized and before the transaction begins, for example to
            receive a large body.
    """
    authorization = Authorization(scope, key_place)

    async def open_unit(request: Request) -> AsyncIterator[UnitOfWork]:
        caller = await authorization.find_caller(request)
        refuse_undeclared_parts(request)
        if before_transaction is not None:
            await before_transaction(request)
        writing = not reads and request.method not in ("GET", "HEAD")
        if writing and not conditional:
            refuse_conditions(request)
        transaction = _write_transaction(request, caller) if writing else _read_transaction(request, caller)
        async with request.app.state.slots.acquire(writing=writing), contextmanager_in_threadpool(transaction) as unit:
            yield unit

    setattr(open_unit, SCOPE_ATTRIBUTE, scope)
    setattr(open_unit, AUTHORIZATION_ATTRIBUTE, authorization)
    setattr(open_unit, CHANGE_SCOPE_ATTRIBUTE, changes)
    return Depends(open_unit, scope="function")


def authorize_caller(scope: Scope, *, key_place: KeyPlace = KeyPlace.BEARER) -> Any:
    """Return the dependency that checks a route's scope and yields its `Caller`.

    It is for a route that waits for a model or follows a stream, and opens short units of work itself.

    Args:
        scope: what the caller must have.
        key_place: where the key may be besides `Authorization: Bearer`.
    """
    authorization = Authorization(scope, key_place)

    async def authorized_caller(request: Request) -> Caller:
        caller = await authorization.find_caller(request)
        refuse_undeclared_parts(request)
        return caller

    setattr(authorized_caller, SCOPE_ATTRIBUTE, scope)
    setattr(authorized_caller, AUTHORIZATION_ATTRIBUTE, authorization)
    return Depends(authorized_caller)


@contextmanager
def _read_transaction(request: Request, caller: Caller) -> Iterator[UnitOfWork]:
    state = request.app.state
    with state.database.read() as session:
        require_active_credential(session, caller, state.clock())
        yield UnitOfWork(session, caller, state.clock, state.settings)


@contextmanager
def _write_transaction(request: Request, caller: Caller) -> Iterator[UnitOfWork]:
    state = request.app.state
    with state.database.write() as session:
        unit = UnitOfWork(session, caller, freeze_clock(state.clock), state.settings)
        require_active_credential(session, caller, unit.clock())
        replay_or_record(request, unit)
        yield unit
