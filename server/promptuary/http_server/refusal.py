"""The responses that the front itself sends, as RFC 9457 `application/problem+json`; the connection is closed after each."""

import http
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_HEADERS = (
    b"content-type: application/problem+json\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n"
    b"x-frame-options: DENY\r\nconnection: close\r\n"
)


@dataclass(frozen=True)
class Refusal:
    """Why a connection or a request is refused.

    Attributes:
        status: of the response.
        code: stable, as of every problem.
        title: of the problem.
        detail: what is wrong, and the remedy.
        retry_after: seconds; None where the same request would be refused again.
    """

    status: int
    code: str
    title: str
    detail: str
    retry_after: int | None = None

    @cached_property
    def _message(self) -> bytes:
        problem: dict[str, object] = {
            "type": f"urn:promptuary:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        body = json.dumps(problem).encode()
        retry = b"" if self.retry_after is None else f"retry-after: {self.retry_after}\r\n".encode()
        return _HEADERS + retry + f"content-length: {len(body)}\r\n\r\n".encode() + body

    def response(self, default_headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
        """Return the whole response as it is sent.

        Args:
            default_headers: those that the server adds to every response.
        """
        added = b"".join(name + b": " + value + b"\r\n" for name, value in default_headers)
        return f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}\r\n".encode() + added + self._message


class ParsingRefused(Exception):
    """Leaves the parser with the refusal of the request that it reads."""

    def __init__(self, refusal: Refusal) -> None:
        """Store the refusal."""
        super().__init__(refusal.code)
        self.refusal = refusal


MALFORMED = Refusal(
    400, "malformed_request", "Malformed request", "the request is not HTTP as RFC 9112 defines it; use an HTTP client"
)
TOO_MANY_FRAMES = Refusal(
    400, "malformed_request", "Malformed request", "the body's chunks have more framing than content; send larger chunks"
)
TOO_MANY_PIPELINED = Refusal(
    429, "too_many_requests", "Too many requests", "too many requests wait on this connection; wait for their responses", 1
)
HEADER_LATE = Refusal(
    408, "request_timeout", "Request timeout", "the request's header was not complete in time; send it at once"
)
BODY_LATE = Refusal(408, "request_timeout", "Request timeout", "the request's body was not complete in time; send it faster")
TOO_MANY_CONNECTIONS = Refusal(
    503, "too_many_connections", "Unavailable", "too many connections are open; try again, and keep few connections open", 2
)


def header_too_large(limit: int) -> Refusal:
    """Return the refusal of a header over `limit` bytes."""
    detail = f"the request line and the header are over the limit of {limit} bytes; send a smaller header"
    return Refusal(431, "header_too_large", "Header too large", detail)


def too_many_headers(limit: int) -> Refusal:
    """Return the refusal of a request with over `limit` header fields."""
    return Refusal(431, "header_too_large", "Header too large", f"the request has over {limit} header fields; send fewer")
