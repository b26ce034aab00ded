"""The checks that a request passes before FastAPI sees it: host, header fields that occur once, path, query, declared length.

The body is read by its route once the caller is known (`promptuary.access.auth.body`); a dataset's file has a limit of its own.
"""

import re
from collections import Counter
from dataclasses import dataclass

from promptuary.access.auth.body import METHODS_WITH_BODY, check_declared_length, limit_body
from promptuary.api.asgi import HostAllowList, Receive, Scope
from promptuary.compat.error_format import ENCODED_SLASH
from promptuary.core.errors import (
    InvalidHeader,
    InvalidHost,
    InvalidPath,
    InvalidQuery,
    NotAuthenticated,
    UnsupportedMediaType,
)
from promptuary.evaluation.datasets.upload import MEDIA_TYPES
from promptuary.prompt.text import CREDENTIAL, refused_character

_DOCUMENT = re.compile(rb"/v1/collections/[^/]+/documents/")
_TRAFFIC = frozenset(
    {"/v1/otlp/v1/traces", "/v1/otlp/v1/logs", "/v1/otlp/v1/metrics", "/v1/observations", "/api/public/otel/v1/traces"}
)
"""The paths of the intake, whose bodies have a limit of their own."""
_DATASET_VERSIONS = re.compile(r"/v1/datasets/[^/]+/versions/?")
_SINGLE_FIELDS = frozenset(
    {
        b"host",
        b"authorization",
        b"x-api-key",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
    }
)
"""The header fields of which two could be read differently by a proxy and by this server."""


@dataclass(frozen=True)
class RequestChecks:
    """What is allowed: the hosts, and the size in bytes of a JSON body, of a dataset's file and of production calls."""

    hosts: HostAllowList
    body_limit: int
    dataset_limit: int
    traffic_limit: int

    def check(self, scope: Scope, receive: Receive) -> Receive:
        """Check a request, and return the channel from which the app receives its body.

        Raises:
            InvalidHost, InvalidHeader, InvalidPath, InvalidQuery: for what is wrong besides the body.
            NotAuthenticated: for a key in the query string.
            BodyTooLarge, UnsupportedMediaType: for a body that the header shows not to be accepted.
        """
        _check_single_fields(scope)
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self.hosts.allows(headers.get(b"host", b"")):
            raise InvalidHost("the Host header names a host that this server does not answer for; see PROMPTUARY_ALLOWED_HOSTS")
        _check_path(scope)
        _check_query(scope)
        if scope["method"] not in METHODS_WITH_BODY:
            return receive
        media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        length = headers.get(b"content-length", b"").decode("latin-1")
        if media_type in MEDIA_TYPES and scope["method"] == "POST" and _DATASET_VERSIONS.fullmatch(scope["path"]):
            if headers.get(b"content-encoding"):
                raise UnsupportedMediaType(f"send the file as plain `Content-Type: {media_type}`, not compressed")
            check_declared_length(length, self.dataset_limit)
            return limit_body(receive, self.dataset_limit)
        check_declared_length(length, self.traffic_limit if scope["path"] in _TRAFFIC else self.body_limit)
        return receive


def _check_single_fields(scope: Scope) -> None:
    counts = Counter(name.lower() for name, _ in scope["headers"])
    repeated = [name.decode() for name in counts.keys() & _SINGLE_FIELDS if counts[name] > 1]
    if repeated:
        raise InvalidHeader(f"the header has {repeated[0].title()} {counts[repeated[0].encode()]} times; send it once")


def _check_path(scope: Scope) -> None:
    raw_path = scope.get("raw_path") or scope["path"].encode()
    may_have_slashes = raw_path.startswith(ENCODED_SLASH) or _DOCUMENT.match(raw_path)
    if b"%2f" in raw_path.lower() and not may_have_slashes:
        raise InvalidPath(
            "a name has letters, digits, `_`, `.` and `-`, and no slash: the path has `%2F`, a slash inside a name; "
            "group names with dots, as in support.triage"
        )
    if refused_character(scope["path"]):
        raise InvalidPath("the path has a NUL, or bytes that are not UTF-8; send names percent-encoded")
    if "/../" in scope["path"] + "/":
        raise InvalidPath("the path has the segment `..`, which is no name; send the path that it means")


def _check_query(scope: Scope) -> None:
    query = scope.get("query_string", b"")
    if b"%00" in query or not query.isascii():
        raise InvalidQuery("the query string has a NUL, or bytes that are not percent-encoded")
    if CREDENTIAL.search(query.decode()):
        raise NotAuthenticated(
            "a key in the query string is not accepted, and is now in logs: revoke it, and send keys in a header"
        )
