"""The bytes of a problem: RFC 9457 `application/problem+json`, or the error format of another registry's client."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from promptuary.compat.error_format import error_format_of
from promptuary.prompt.errors import FieldError

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
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
    507: "Storage full",
}


class Problem(NamedTuple):
    """A problem as it is sent."""

    status: int
    body: bytes
    media_type: str


def format_problem(status: int, code: str, detail: str, *, path: str = "", field_errors: Sequence[FieldError] = ()) -> Problem:
    """Format a problem. `type` is a stable URN of the code, and `errors` has an entry for each field error.

    A path of another registry's client gets the error in that registry's format.
    """
    if error_format := error_format_of(path):
        status, foreign = error_format.convert(
            status, code, ": ".join(filter(None, [detail, "; ".join(map(str, field_errors))]))
        )
        return Problem(status, _json(foreign), "application/json")
    body: dict[str, Any] = {
        "type": f"urn:promptuary:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field_errors:
        body["errors"] = [{"path": field_error.path, "message": field_error.message} for field_error in field_errors]
    return Problem(status, _json(body), "application/problem+json")


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
