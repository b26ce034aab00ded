"""Errors in the words of the SDKs, by the path that was asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LANGFUSE = "/api/public"
MLFLOW = "/api/2.0/mlflow"
ENCODED_SLASH = f"{LANGFUSE}/v2/prompts/".encode()
"""Behind this a `%2F` may stand: Langfuse's SDK sends the slashes of a name that way."""

ErrorBody = tuple[int, dict[str, str]]

NO_SUCH_PATH = "no_such_path"
"""The code of a path or method that is not there, which MLflow tells from a prompt that is not there."""


@dataclass(frozen=True)
class ErrorFormat:
    """How one registry tells an error: the fields of its body, and the status and body for one of ours."""

    fields: tuple[str, ...]
    answer: Callable[[int, str, str], ErrorBody]
    """Takes our status, our code and the sentence."""


_LANGFUSE_NAMES: Mapping[int, str] = {
    400: "InvalidRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError",
    503: "ServiceUnavailableError",
}
_MLFLOW_CODES: Mapping[int, str] = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "ENDPOINT_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    413: "INVALID_PARAMETER_VALUE",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    507: "RESOURCE_EXHAUSTED",
}


def _langfuse(status: int, _code: str, sentence: str) -> ErrorBody:
    """What an SDK would try again in vain (409), or has no name for, is a 400."""
    status = 400 if status in (409, 412, 422) else status
    return status, {"message": sentence, "error": _LANGFUSE_NAMES.get(status, "Error")}


def _mlflow(status: int, code: str, sentence: str) -> ErrorBody:
    if code == "already_exists":
        return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": sentence}
    if code == NO_SUCH_PATH:
        return status, {"error_code": "ENDPOINT_NOT_FOUND", "message": sentence}
    status = {412: 409, 422: 400}.get(status, status)
    return status, {"error_code": _MLFLOW_CODES.get(status, "INTERNAL_ERROR"), "message": sentence}


_SHAPES = (
    (LANGFUSE, ErrorFormat(("message", "error"), _langfuse)),
    (MLFLOW, ErrorFormat(("error_code", "message"), _mlflow)),
)


def error_format_of(path: str) -> ErrorFormat | None:
    """Tell in whose shape the errors of a path are; None for problem+json."""
    return next((shape for prefix, shape in _SHAPES if path == prefix or path.startswith(prefix + "/")), None)
