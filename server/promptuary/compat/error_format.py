"""The error bodies of other registries' SDKs, selected by the path of the request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LANGFUSE = "/api/public"
MLFLOW = "/api/2.0/mlflow"
LANGSMITH = "/langsmith"
PHOENIX = "/phoenix"
ENCODED_SLASH = f"{LANGFUSE}/v2/prompts/".encode()
"""The path prefix after which `%2F` is allowed: Langfuse's SDK encodes the slashes of a name."""

ErrorBody = tuple[int, dict[str, str]]

NO_SUCH_PATH = "no_such_path"
"""The code of an unknown path or method, which MLflow distinguishes from an unknown prompt."""


@dataclass(frozen=True)
class ErrorFormat:
    """The error format of one registry: the fields of its body, and the conversion of an error."""

    fields: tuple[str, ...]
    convert: Callable[[int, str, str], ErrorBody]
    """Returns the status and body for a status, an error code and a message of this server."""


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
    410: "RESOURCE_DOES_NOT_EXIST",
    413: "INVALID_PARAMETER_VALUE",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    507: "RESOURCE_EXHAUSTED",
}


def _langfuse(status: int, _code: str, message: str) -> ErrorBody:
    """Convert an error; a status that the SDK would retry in vain (409) or does not know becomes a 400."""
    status = 400 if status in (409, 412, 422) else status
    return status, {"message": message, "error": _LANGFUSE_NAMES.get(status, "Error")}


def _mlflow(status: int, code: str, message: str) -> ErrorBody:
    if code == "already_exists":
        return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": message}
    if code == NO_SUCH_PATH:
        return status, {"error_code": "ENDPOINT_NOT_FOUND", "message": message}
    status = {412: 409, 422: 400}.get(status, status)
    return status, {"error_code": _MLFLOW_CODES.get(status, "INTERNAL_ERROR"), "message": message}


def _detail(status: int, _code: str, message: str) -> ErrorBody:
    """Convert an error for LangSmith's and Phoenix's clients, which show the detail; neither asks again after a 409."""
    return {412: 409}.get(status, status), {"detail": message}


_FORMATS = (
    (LANGFUSE, ErrorFormat(("message", "error"), _langfuse)),
    (MLFLOW, ErrorFormat(("error_code", "message"), _mlflow)),
    (LANGSMITH, ErrorFormat(("detail",), _detail)),
    (PHOENIX, ErrorFormat(("detail",), _detail)),
)


def error_format_of(path: str) -> ErrorFormat | None:
    """Return the error format of a path; None for problem+json."""
    return next((error_format for prefix, error_format in _FORMATS if path == prefix or path.startswith(prefix + "/")), None)
