"""Errors as RFC 9457 `application/problem+json`, with the status of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from promptuary.api.error_status import status_of
from promptuary.compat.error_format import LANGFUSE, MLFLOW, NO_SUCH_PATH, error_format_of
from promptuary.core import errors
from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError
from promptuary.prompt.validation_errors import MESSAGES

log = structlog.get_logger(__name__)

TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
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
    405: ("method_not_allowed", "the path does not accept this method"),
}


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    path: str = "",
    field_errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build the response. `type` is a stable URN of the code, and `errors` has an entry for each field error.

    A path of another registry's client gets the error in that registry's format.
    """
    if error_format := error_format_of(path):
        status, foreign = error_format.convert(
            status, code, ": ".join(filter(None, [detail, "; ".join(map(str, field_errors))]))
        )
        return Response(_json(foreign), status, dict(headers or {}), media_type="application/json")
    body: dict[str, Any] = {
        "type": f"urn:promptuary:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field_errors:
        body["errors"] = [{"path": field_error.path, "message": field_error.message} for field_error in field_errors]
    return Response(_json(body), status, dict(headers or {}), media_type="application/problem+json")


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def error_response(error: PromptuaryError, path: str = "") -> Response:
    """Build the response for one of Promptuary's errors, in the format of the path."""
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = BASIC if path.startswith((LANGFUSE, MLFLOW)) else "Bearer"
    field_errors = error.field_errors if isinstance(error, Invalid) else ()
    return problem_response(
        status_of(type(error)), error.code, error.message, path=path, field_errors=field_errors, headers=headers
    )


async def _handle_promptuary_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptuaryError)
    return error_response(error, request.scope["path"])


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    field_errors = []
    for detail in error.errors():
        parts = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
        where = parts[1:] if parts and parts[0] == "body" else parts[1:2]
        message = MESSAGES.get(detail["type"]) or str(detail["msg"]).removeprefix("Value error, ")
        field_errors.append(FieldError(".".join(where), message))
    detail = "the request has fields that are not accepted"
    return problem_response(422, errors.InvalidRequest.code, detail, path=request.scope["path"], field_errors=field_errors)


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _PLAIN.get(error.status_code, ("http_error", str(error.detail)))
    path = request.scope["path"]
    if error_format_of(path) and error.status_code in _PLAIN:
        code = NO_SUCH_PATH
    return problem_response(error.status_code, code, detail, path=path, headers=error.headers)


async def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    """Build a response without a traceback; the traceback is in the log."""
    log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
    detail = "something failed in the server; its log has the error"
    return problem_response(500, "internal_error", detail, path=request.scope["path"])


def install_error_handlers(app: FastAPI) -> None:
    """Install the handlers, so that the app answers every error as a problem."""
    app.add_exception_handler(PromptuaryError, _handle_promptuary_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(Exception, _handle_unexpected_error)
