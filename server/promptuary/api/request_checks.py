"""The checks that a request passes before FastAPI sees it: host, path, query, and a body that is JSON of one meaning only.

The body of a dataset in lines is the exception: its route reads it once the caller is known, up to a limit of its own.
"""

import re
from dataclasses import dataclass

from promptuary.access.auth.request import REQUEST_BODY, REQUEST_JSON
from promptuary.api.asgi import HostAllowList, Message, Receive, Scope
from promptuary.compat.error_format import ENCODED_SLASH
from promptuary.core.errors import (
    BodyTooLarge,
    FieldError,
    InvalidHost,
    InvalidPath,
    InvalidQuery,
    InvalidRequest,
    MalformedBody,
    NotAuthenticated,
    UnsupportedMediaType,
)
from promptuary.core.wire import parse_strict_json
from promptuary.evaluation.datasets.upload import MEDIA_TYPES
from promptuary.prompt.text import refused_character

_METHODS_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}
_DOCUMENT = re.compile(rb"/v1/collections/[^/]+/documents/")
_DATASET_VERSIONS = re.compile(r"/v1/datasets/[^/]+/versions")


@dataclass(frozen=True)
class RequestChecks:
    """What is allowed: the hosts, and the size in bytes of a JSON body and of a dataset's file."""

    hosts: HostAllowList
    body_limit: int
    dataset_limit: int

    async def check(self, scope: Scope, receive: Receive) -> Receive:
        """Check a request, parse its body into the scope, and return the channel from which the app receives it.

        Raises:
            InvalidHost, InvalidPath, InvalidQuery: for what is wrong besides the body.
            NotAuthenticated: for a key in the query string.
            MalformedBody, InvalidRequest, BodyTooLarge, UnsupportedMediaType: for what is wrong with the body.
        """
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self.hosts.allows(headers.get(b"host", b"")):
            raise InvalidHost("the Host header names a host that this server does not answer for; see PROMPTUARY_ALLOWED_HOSTS")
        _check_path(scope)
        _check_query(scope)
        if scope["method"] not in _METHODS_WITH_BODY:
            return receive
        media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if media_type in MEDIA_TYPES and scope["method"] == "POST" and _DATASET_VERSIONS.fullmatch(scope["path"]):
            return self._check_file(media_type, headers, receive)
        body = await self._read_body(headers, receive)
        scope[REQUEST_BODY] = body
        if body:
            if media_type != "application/json" or headers.get(b"content-encoding"):
                raise UnsupportedMediaType("send the body as plain `Content-Type: application/json`")
            scope[REQUEST_JSON] = _parse_object(body)
        return _replay(body, receive)

    def _check_file(self, media_type: str, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        if headers.get(b"content-encoding"):
            raise UnsupportedMediaType(f"send the file as plain `Content-Type: {media_type}`, not compressed")
        _check_declared_length(headers, self.dataset_limit)
        return _limit(receive, self.dataset_limit)

    async def _read_body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Read the whole body, in however many chunks; stop at the limit."""
        _check_declared_length(headers, self.body_limit)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("the client disconnected before it had sent the whole body")
            body += message.get("body", b"")
            if len(body) > self.body_limit:
                raise _too_large(self.body_limit)
            if not message.get("more_body"):
                return bytes(body)


def _check_path(scope: Scope) -> None:
    raw_path = scope.get("raw_path") or scope["path"].encode()
    may_have_slashes = raw_path.startswith(ENCODED_SLASH) or _DOCUMENT.match(raw_path)
    if b"%2f" in raw_path.lower() and not may_have_slashes:
        raise InvalidPath(
            "the path has `%2F`, a slash inside a name: names have none, and dots group them, as in support.triage"
        )
    if refused_character(scope["path"]):
        raise InvalidPath("the path has a NUL, or bytes that are not UTF-8; send names percent-encoded")
    if "/../" in scope["path"] + "/":
        raise InvalidPath("the path has the segment `..`, which is no name; send the path that it means")


def _check_query(scope: Scope) -> None:
    query = scope.get("query_string", b"")
    if b"%00" in query or not query.isascii():
        raise InvalidQuery("the query string has a NUL, or bytes that are not percent-encoded")
    if b"pmt_" in query:
        raise NotAuthenticated(
            "a key in the query string is not accepted, and is now in logs: revoke it, and send keys in a header"
        )


def _parse_object(body: bytes) -> dict[str, object]:
    value = parse_strict_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the request cannot be used", [FieldError("", "the body must be a JSON object")])
    return value


def _check_declared_length(headers: dict[bytes, bytes], limit: int) -> None:
    """Raise for a body whose Content-Length is over the limit, before any of it is read."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is over the limit of {limit} bytes; send less at a time")


def _limit(receive: Receive, limit: int) -> Receive:
    """Return a channel that passes the body on as it comes, and raises over the limit."""
    remaining = limit

    async def receive_limited() -> Message:
        nonlocal remaining
        message = await receive()
        remaining -= len(message.get("body", b""))
        if remaining < 0:
            raise _too_large(limit)
        return message

    return receive_limited


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that delivers the body that was read, then what the server sends."""
    delivered = False

    async def receive_again() -> Message:
        nonlocal delivered
        if delivered:
            return await receive()
        delivered = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
