"""Retries of writes: the response of a write under an `Idempotency-Key` is stored in its transaction, and replayed."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access import store
from promptuary.access.auth.body import METHODS_WITH_BODY, read_body
from promptuary.access.auth.large_values import encode_where_validated, take_validated_bodies
from promptuary.access.auth.request import AUTHORIZATION_ATTRIBUTE, REQUEST_BODY, ParsedRequest
from promptuary.access.contents import contents_read
from promptuary.access.store import StoredResponse
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.errors import InvalidRequest, PromptuaryError
from promptuary.core.logs import redact_api_keys

log = structlog.get_logger(__name__)
_KEY_LIMIT = 200
LOCAL_OWNER = "local"


class ReplayedResponse(Exception):
    """Leaves the route at once with the response that is stored under the idempotency key."""

    def __init__(self, response: StoredResponse) -> None:
        """Keep the stored response."""
        super().__init__("replayed")
        self.response = response


def replay_or_record(request: Request, unit: UnitOfWork) -> None:
    """Raise the stored response of a retry; for a first write with a key, arrange that the route stores its response.

    Raises:
        ReplayedResponse: when the same request was done under the key before.
        InvalidRequest: when the key is too long, or belongs to another request.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return
    if not 0 < len(key) <= _KEY_LIMIT:
        raise InvalidRequest(f"the header Idempotency-Key must have 1 to {_KEY_LIMIT} characters")
    project = unit.caller.project
    store.lock_project(unit.session, project)  # of two requests under one key, the second waits for the first one's response
    request_digest = _request_digest(request)
    stored_response = store.find_response(unit.session, project, _owned_key(unit.caller, key))
    if stored_response is None:
        stored_response = _response_of_earlier_release(unit, key, request_digest)
    if stored_response is None:
        request.state.store_response = lambda status, body, etag: store.add_response(
            unit.session,
            project,
            _owned_key(unit.caller, key),
            StoredResponse(request_digest, status, body, _owner(unit.caller), etag),
            contents_read(unit.session),
            unit.clock(),
        )
    elif stored_response.request_digest != request_digest:
        raise InvalidRequest("this Idempotency-Key was used for another request; take a new one")
    else:
        raise ReplayedResponse(stored_response)


def complete_stored_response(request: Request, caller: Caller, body: str) -> None:
    """Replace the body that is stored under a request's idempotency key, in a transaction of its own.

    It is for a route that completes its response after the commit. Without a key, nothing is done. A failure is logged, not
    raised: the write has been committed, and a retry gets the response as it was stored with it. So does a retry after an
    erasure of what the response contains.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return
    try:
        with request.app.state.database.write() as session:
            store.complete_response(session, caller.project, _owned_key(caller, key), redact_api_keys(body))
    except PromptuaryError as error:
        log.warning("a stored response was not completed", error=error.message)


def _owned_key(caller: Caller, key: str) -> str:
    """Return the name under which a response is stored: no other caller gets it, and it has nothing of the key's text.

    Applications make keys of what they have, such as a customer's address.
    """
    owner = _owner(caller)
    return f"{owner}/sha256:{hashlib.sha256(f'{owner}/{key}'.encode()).hexdigest()}"


def _owner(caller: Caller) -> str:
    return caller.credential_id or LOCAL_OWNER


def _response_of_earlier_release(unit: UnitOfWork, key: str, request_digest: str) -> StoredResponse | None:
    """Return the response that an earlier release stored under the key itself; one before 0.5.0 did not store who wrote."""
    session, project = unit.session, unit.caller.project
    owned = store.find_response(session, project, f"{_owner(unit.caller)}/{key}")
    if owned is not None:
        return owned
    response = store.find_response(session, project, key)
    return response if response and response.owner is None and response.request_digest == request_digest else None


def _request_digest(request: Request) -> str:
    body: bytes = request.scope.get(REQUEST_BODY, b"")
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return hashlib.sha256(f"{request.method} {target}\n".encode() + body).hexdigest()


class IdempotentRoute(APIRoute):
    """A route that checks the key first, then reads the body, and replays retried writes."""

    reads_body = True
    """Whether the body is JSON, which is read here; else a dependency reads it."""
    body_limit: int | None = None
    """Of the body's size in bytes; None for the one of the settings."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, wrapped; it runs inside the unit of work, before the commit."""
        validate = take_validated_bodies(self)
        encode_where_validated(self)
        authorizations = [
            getattr(dependency.call, AUTHORIZATION_ATTRIBUTE)
            for dependency in self.dependant.dependencies
            if hasattr(dependency.call, AUTHORIZATION_ATTRIBUTE)
        ]
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            parsed_request = ParsedRequest(request.scope, request.receive)
            for authorization in authorizations:
                await authorization.find_caller(parsed_request)
            if self.reads_body and request.method in METHODS_WITH_BODY:
                limit = self.body_limit or request.app.state.settings.body_limit
                parsed_request.keep_body(await read_body(parsed_request, validate, limit))
            try:
                response = await handle(parsed_request)
            except ReplayedResponse as replayed:
                is_problem = replayed.response.status >= 400  # the content of the version was erased since
                media_type = "application/problem+json" if is_problem else "application/json"
                etag = replayed.response.etag
                headers = {"ETag": etag} if etag is not None and not is_problem else {}
                return Response(replayed.response.body, replayed.response.status, headers, media_type=media_type)
            store_response = getattr(parsed_request.state, "store_response", None)
            if store_response is not None and response.status_code < 300:
                body = bytes(response.body)
                etag = response.headers.get("etag")
                await run_in_threadpool(lambda: store_response(response.status_code, redact_api_keys(body.decode()), etag))
            return response

        return handle_once
