"""Errors as RFC 9457 `application/problem+json`: the one place that knows which error is which HTTP status."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from promptuary.base import errors
from promptuary.prompt.errors import Fault, Invalid, PromptuaryError, RenderTooLarge
from promptuary.prompt.faults import WORDS

log = structlog.get_logger(__name__)

STATUS: Mapping[type[PromptuaryError], int] = {
    PromptuaryError: 500,
    Invalid: 422,
    errors.MalformedBody: 400,
    RenderTooLarge: 422,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.BodyTooLarge: 413,
    errors.UnsupportedBody: 415,
    errors.Unavailable: 503,
    errors.StorageFull: 507,
}
TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Body too large",
    415: "Unsupported body",
    422: "Not valid",
    500: "Internal error",
    503: "Unavailable",
    507: "Storage full",
}
_PLAIN = {
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "the path does not take this method"),
}


def status_of(error: type[PromptuaryError]) -> int:
    """Give the status of an error's nearest class that has one."""
    return next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)


def problem(
    status: int, code: str, detail: str, *, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Make the answer. `type` is a stable URN of the code, `errors` has one entry a fault."""
    body: dict[str, Any] = {
        "type": f"urn:promptuary:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if faults:
        body["errors"] = [{"path": fault.path, "message": fault.message} for fault in faults]
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text, status, dict(headers or {}), media_type="application/problem+json")


def problem_of(error: PromptuaryError) -> Response:
    """Make the answer for one of our own errors."""
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    faults = error.faults if isinstance(error, Invalid) else ()
    return problem(status_of(type(error)), error.code, error.message, faults=faults, headers=headers)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptuaryError)
    return problem_of(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = []
    for detail in error.errors():
        parts = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
        where = parts[1:] if parts and parts[0] == "body" else parts[1:2]
        message = WORDS.get(detail["type"]) or str(detail["msg"]).removeprefix("Value error, ")
        faults.append(Fault(".".join(where), message))
    return problem(422, errors.InvalidRequest.code, "the request has fields that are not taken", faults=faults)


async def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _PLAIN.get(error.status_code, ("http_error", str(error.detail)))
    return problem(error.status_code, code, detail, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer without a trace; the trace is in the log."""
    log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "internal_error", "something went wrong in the server; its log says what")


def install(app: FastAPI) -> None:
    """Let the app answer every error this way."""
    app.add_exception_handler(PromptuaryError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unexpected)
