"""The app's outermost layer, plain ASGI: Host allow-list, body limit, strict JSON, request id, access log, security headers.

What passes here reaches FastAPI with a body that has been read whole and is JSON of one meaning only. The lines of a dataset
are the exception: they are read by their route once the caller is known, up to a limit of their own.
"""

import re
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from starlette.responses import Response

from promptuary.access.auth.authentication import REQUEST_BODY
from promptuary.api.asgi import SECURITY_HEADERS, App, HostAllowList, Receive, RequestIds, Scope, Send
from promptuary.api.lookup.fast_path import LookupFastPath
from promptuary.api.problems import error_response
from promptuary.api.request_metrics import RequestMetrics
from promptuary.api.services import Services
from promptuary.compat.error_format import ENCODED_SLASH
from promptuary.core.errors import (
    BodyTooLarge,
    FieldError,
    InvalidRequest,
    MalformedBody,
    NotAuthenticated,
    PromptuaryError,
    UnsupportedMediaType,
)
from promptuary.core.wire import parse_strict_json

log = structlog.get_logger(__name__)
_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}
JSON_LINES = "application/x-ndjson"
UNREAD_BODY = "promptuary.unread"
_DATASET = re.compile(r"/v1/datasets/[^/]+/versions")
_QUIET = ("/healthz", "/readyz", "/metrics")


class RequestMiddleware:
    """Wraps the app; see the module's docstring."""

    def __init__(self, app: App, parts: Services, close: Callable[[], None], traffic: RequestMetrics) -> None:
        """Keep the app, its parts, what ends it where no server runs its lifespan, and what counts its answers."""
        settings = parts.settings
        self.app = app
        self.parts = parts
        self.close = close
        self.traffic = traffic
        self.hosts = HostAllowList(settings.hosts)
        self.ids = RequestIds()
        self.lookup = LookupFastPath(parts, self.ids, self.hosts)
        self.body_limit = settings.body_limit
        self.dataset_limit = settings.dataset_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, hand it on, and log how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if await self.lookup(scope, send):
            return
        request_id = self.ids()
        started, status, begun = time.perf_counter(), 500, 0.0

        async def out(message: MutableMapping[str, Any]) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = time.perf_counter()
                status = message["status"]
                message["headers"] = [*message["headers"], *SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                try:
                    body = await self._checked(scope, receive)
                except PromptuaryError as error:
                    response: Response = error_response(error, scope["path"])
                    await response(scope, receive, out)
                else:
                    if scope.get(UNREAD_BODY):
                        receive = _limited(receive, self.dataset_limit)
                    await self.app(scope, receive if body is None else _replay(body, receive), out)
            finally:
                self.traffic.count(scope["method"], _template(scope), status, (begun or time.perf_counter()) - started)
                if scope["path"] not in _QUIET:
                    elapsed = round((time.perf_counter() - started) * 1000, 1)
                    log.info("request", method=scope["method"], path=scope["path"], status=status, milliseconds=elapsed)

    async def _checked(self, scope: Scope, receive: Receive) -> bytes | None:
        """Check host, path, query and body; give the body where there is one."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self.hosts.take(headers.get(b"host", b"")):
            raise MalformedBody(
                "the Host header names a host that this server does not answer for; see PROMPTUARY_ALLOWED_HOSTS"
            )
        path = scope.get("raw_path") or scope["path"].encode()
        slashes = b"%2f" in path.lower() and not path.startswith(ENCODED_SLASH)
        if slashes or "/../" in scope["path"] + "/" or "\x00" in scope["path"]:
            raise MalformedBody("the path has a `%2F`, a NUL or `..`; names have none of these")
        query = scope.get("query_string", b"")
        if b"%00" in query or not query.isascii():
            raise MalformedBody("the query string has a NUL, or bytes that are not percent-encoded")
        if b"pmt_" in query:
            raise NotAuthenticated(
                "a key in the query string is not taken, and is now in logs: revoke it, and send keys in a header"
            )
        if scope["method"] not in _WITH_BODY:
            return None
        media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if media == JSON_LINES and scope["method"] == "POST" and _DATASET.fullmatch(scope["path"]):
            if headers.get(b"content-encoding"):
                raise UnsupportedMediaType(f"send the lines as plain `Content-Type: {JSON_LINES}`, not compressed")
            _declared(headers, self.dataset_limit)
            scope[UNREAD_BODY] = True
            return None
        body = await self._read(headers, receive)
        scope[REQUEST_BODY] = body
        if not body:
            return body
        if media != "application/json" or headers.get(b"content-encoding"):
            raise UnsupportedMediaType("send the body as plain `Content-Type: application/json`")
        if not isinstance(parse_strict_json(body), dict):
            raise InvalidRequest("the request cannot be used", [FieldError("", "the body must be a JSON object")])
        return body

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Read the body whole, in however many chunks; stop at the limit."""
        _declared(headers, self.body_limit)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("the client went away before the body was whole")
            body += message.get("body", b"")
            if len(body) > self.body_limit:
                raise _too_large(self.body_limit)
            if not message.get("more_body"):
                return bytes(body)


def _declared(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuse a body whose own length says that it is too large, before any of it is read."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is over the limit of {limit} bytes; send less at a time")


def _limited(receive: Receive, limit: int) -> Receive:
    """Give the body on as it comes, up to the limit."""
    left = limit

    async def counted() -> MutableMapping[str, Any]:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(limit)
        return message

    return counted


def _template(scope: Scope) -> str | None:
    """Give the template of the route that answered, None where there was none; a router's route does not know its prefix."""
    template: str | None = getattr(scope.get("route"), "path", None)
    if template is not None and scope["path"].startswith("/v1/"):
        return "/v1" + template.removeprefix("/v1")
    return template


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body again to whoever reads it, then what the server says."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
