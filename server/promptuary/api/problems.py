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
from promptuary.compat.refusal import NO_SUCH_PATH, shape_of
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
BASIC = 'Basic realm="Promptuary", Bearer'
_PLAIN = {
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "the path does not take this method"),
}


def status_of(error: type[PromptuaryError]) -> int:
    """Give the status of an error's nearest class that has one."""
    return next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    path: str = "",
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer. `type` is a stable URN of the code, `errors` has one entry a fault.

    Where another registry's client asked, the path tells so, and the answer is in its shape.
    """
    if shape := shape_of(path):
        status, foreign = shape.answer(status, code, ": ".join(filter(None, [detail, "; ".join(map(str, faults))])))
        return Response(_json(foreign), status, dict(headers or {}), media_type="application/json")
    body: dict[str, Any] = {
        "type": f"urn:promptuary:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if faults:
        body["errors"] = [{"path": fault.path, "message": fault.message} for fault in faults]
    return Response(_json(body), status, dict(headers or {}), media_type="application/problem+json")


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def problem_of(error: PromptuaryError, path: str = "") -> Response:
    """Make the answer for one of our own errors, to whoever asked for the path."""
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = BASIC if shape_of(path) else "Bearer"
    faults = error.faults if isinstance(error, Invalid) else ()
    return problem(status_of(type(error)), error.code, error.message, path=path, faults=faults, headers=headers)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptuaryError)
    return problem_of(error, request.scope["path"])


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = []
    for detail in error.errors():
        parts = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
        where = parts[1:] if parts and parts[0] == "body" else parts[1:2]
        message = WORDS.get(detail["type"]) or str(detail["msg"]).removeprefix("Value error, ")
        faults.append(Fault(".".join(where), message))
    detail = "the request has fields that are not taken"
    return problem(422, errors.InvalidRequest.code, detail, path=request.scope["path"], faults=faults)


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _PLAIN.get(error.status_code, ("http_error", str(error.detail)))
    path = request.scope["path"]
    if shape_of(path) and error.status_code in _PLAIN:
        code = NO_SUCH_PATH
    return problem(error.status_code, code, detail, path=path, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer without a trace; the trace is in the log."""
    log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
    detail = "something went wrong in the server; its log says what"
    return problem(500, "internal_error", detail, path=request.scope["path"])


def install(app: FastAPI) -> None:
    """Let the app answer every error this way."""
    app.add_exception_handler(PromptuaryError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unexpected)
