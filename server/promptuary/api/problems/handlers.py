"""Errors as RFC 9457 `application/problem+json`, with the status of each."""

from collections.abc import Mapping, Sequence

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from promptuary.api.problems.error_status import status_of
from promptuary.api.problems.problem_format import format_problem
from promptuary.compat.error_format import LANGFUSE, MLFLOW, NO_SUCH_PATH, error_format_of
from promptuary.core import errors
from promptuary.core.wire import ERRORS_LIMIT
from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError
from promptuary.prompt.validation_errors import join_type_errors
from promptuary.traffic.otlp.failure import PROTOBUF_TYPE, failure_response
from promptuary.traffic.redaction.text import redact_text

log = structlog.get_logger(__name__)

SENDERS_PATHS = ("/v1/observations", "/v1/feedback", "/v1/otlp/", "/v1/traffic", "/api/public/otel/")
"""Where applications send people's data: an error names what is wrong, such as an unknown member, without such data."""
BASIC = 'Basic realm="Promptuary", Bearer'
OTLP_PATHS = ("/v1/otlp/v1/", "/api/public/otel/v1/")
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
    """Build the response of a problem, in the format of the path."""
    if len(field_errors) > ERRORS_LIMIT:
        detail = f"{detail}; the first {ERRORS_LIMIT} errors are listed"
        field_errors = field_errors[:ERRORS_LIMIT]
    if path.startswith(SENDERS_PATHS):
        detail, field_errors = redact_text(detail)[0], [_redacted(field_error) for field_error in field_errors]
    problem = format_problem(status, code, detail, path=path, field_errors=field_errors)
    return Response(problem.body, problem.status, dict(headers or {}), media_type=problem.media_type)


def _redacted(field_error: FieldError) -> FieldError:
    return FieldError(redact_text(field_error.path)[0], redact_text(field_error.message)[0])


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
    return _in_protobuf(request, error_response(error, request.scope["path"]), error.message)


def _in_protobuf(request: Request, response: Response, message: str) -> Response:
    """Return the response to a request of OTLP in protobuf, which gets its errors in protobuf, too; any other as it is."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != PROTOBUF_TYPE or not request.scope["path"].startswith(OTLP_PATHS):
        return response
    headers = {name: value for name, value in response.headers.items() if name in ("retry-after", "www-authenticate")}
    return Response(failure_response(redact_text(message)[0]), response.status_code, headers, media_type=PROTOBUF_TYPE)


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    field_errors = []
    for location, message in join_type_errors(error.errors())[: ERRORS_LIMIT + 1]:
        parts = [str(part) for part in location if not str(part).startswith("<") and part != "[key]"]
        where = parts[1:] if parts and parts[0] == "body" else parts[1:2]
        field_errors.append(FieldError(".".join(where), message))
    detail = "the request has fields that are not accepted"
    return problem_response(422, errors.InvalidRequest.code, detail, path=request.scope["path"], field_errors=field_errors)


async def _handle_disconnect(request: Request, error: Exception) -> Response:
    """Build a response that nobody receives; it ends the request in the log like any other error of a client."""
    assert isinstance(error, ClientDisconnect)
    detail = "the client disconnected before it had sent the whole body"
    return problem_response(400, errors.MalformedBody.code, detail, path=request.scope["path"])


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _PLAIN.get(error.status_code, ("http_error", str(error.detail)))
    path = request.scope["path"]
    if error_format_of(path) and error.status_code in _PLAIN:
        code = NO_SUCH_PATH
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return problem_response(error.status_code, code, detail, path=path, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes of the request's path; Starlette names those of the first route alone."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


async def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    """Build a response without a traceback; the traceback is in the log."""
    path = redact_text(request.url.path)[0]
    log.error("unexpected error", method=request.method, path=path, exc_info=error)
    detail = "something failed in the server; its log has the error"
    return _in_protobuf(request, problem_response(500, "internal_error", detail, path=request.scope["path"]), detail)


def install_error_handlers(app: FastAPI) -> None:
    """Install the handlers, so that the app answers every error as a problem."""
    app.add_exception_handler(PromptuaryError, _handle_promptuary_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(Exception, _handle_unexpected_error)
