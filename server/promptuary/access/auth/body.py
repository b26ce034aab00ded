"""The body of a request: read when the caller is known, and parsed and validated in a thread where it is large.

A large body takes tens of milliseconds of Python, and the event loop would answer no lookup meanwhile. One thread at a
time does it, so that many large bodies do not outnumber the event loop.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio import to_thread
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.types import Message, Receive

from promptuary.access.auth.large_values import ValidatedBody
from promptuary.access.auth.request import REQUEST_BODY, REQUEST_JSON, VALIDATED_BODY
from promptuary.core.errors import BodyTooLarge, FieldError, InvalidRequest, MalformedBody, UnsupportedMediaType
from promptuary.core.wire import ERRORS_LIMIT, parse_strict_json

METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SMALL_BYTES = 16 * 1024
"""A body of at most this size is parsed on the event loop: that takes less than the way to a thread and back."""
T = TypeVar("T")
Validate = Callable[..., tuple[Any, list[dict[str, Any]]]]
_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, anyio.CapacityLimiter] = WeakKeyDictionary()


async def read_body(request: Request, validate: Validate | None, limit: int) -> bytes:
    """Read a request's whole body into its scope, parsed, and validated where it is large; return its bytes.

    Args:
        request: one whose caller may use the route.
        validate: validates the parsed body as the route's model, and returns the errors, too; None where there is no model.
        limit: of its size in bytes.

    Raises:
        MalformedBody, InvalidRequest, BodyTooLarge, UnsupportedMediaType: for what is wrong with the body.
        RequestValidationError: for fields that the model refuses.
    """
    body = await receive_body(request, limit)
    request.scope[REQUEST_BODY] = body
    if body:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json" or request.headers.get("content-encoding"):
            raise UnsupportedMediaType("send the body as plain `Content-Type: application/json`")
        await run_beside(len(body), lambda: _parse_into(request.scope, body, validate))
    return body


async def run_beside(size: int, compute: Callable[[], T]) -> T:
    """Compute something from `size` bytes: here where these are few, else in the thread for large bodies."""
    if size <= SMALL_BYTES:
        return compute()
    loop = asyncio.get_running_loop()
    if loop not in _limiters:
        _limiters[loop] = anyio.CapacityLimiter(1)
    return await to_thread.run_sync(compute, limiter=_limiters[loop])


def check_declared_length(declared: str, limit: int) -> None:
    """Check a Content-Length, before any of the body is read.

    Raises:
        BodyTooLarge: for one over the limit.
    """
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge.over(limit)


def limit_body(receive: Receive, limit: int) -> Receive:
    """Return a channel that passes a body on as it comes, and raises BodyTooLarge over the limit."""
    remaining = limit

    async def receive_limited() -> Message:
        nonlocal remaining
        message = await receive()
        remaining -= len(message.get("body", b""))
        if remaining < 0:
            raise BodyTooLarge.over(limit)
        return message

    return receive_limited


async def receive_body(request: Request, limit: int) -> bytes:
    """Receive the whole body, in however many pieces; stop at the limit.

    Raises:
        BodyTooLarge: for a body over the limit.
        MalformedBody: when the client disconnects before the end.
    """
    check_declared_length(request.headers.get("content-length", ""), limit)
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedBody("the client disconnected before it had sent the whole body")
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge.over(limit)
        if not message.get("more_body"):
            return bytes(body)


def _parse_into(scope: MutableMapping[str, Any], body: bytes, validate: Validate | None) -> None:
    value = parse_strict_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the request cannot be used", [FieldError("", "the body must be a JSON object")])
    scope[REQUEST_JSON] = value
    if validate is not None and len(body) > SMALL_BYTES:
        validated, errors = validate(value, {}, loc=("body",))
        if errors:
            raise RequestValidationError(errors[: ERRORS_LIMIT + 1])
        scope[VALIDATED_BODY] = ValidatedBody(validated)
