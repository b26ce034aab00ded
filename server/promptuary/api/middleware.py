"""The app's outermost layer, plain ASGI: the lookup's fast path, the request checks, request ids, access log and metrics."""

import time

import structlog

from promptuary.api.asgi import SECURITY_HEADERS, App, Message, Receive, Scope, Send
from promptuary.api.lookup.fast_path import LookupFastPath
from promptuary.api.problems.handlers import error_response
from promptuary.api.request_checks import RequestChecks
from promptuary.api.services import Services
from promptuary.core.errors import PromptuaryError
from promptuary.traffic.redaction.text import redact_text

log = structlog.get_logger(__name__)
_UNLOGGED_PATHS = ("/healthz", "/readyz", "/metrics")


class RequestMiddleware:
    """The assembled service as one ASGI app around FastAPI."""

    def __init__(self, app: App, services: Services, lookup: LookupFastPath) -> None:
        """Wrap FastAPI's app; `services` and `lookup` are closed with this object."""
        settings = services.settings
        self.app = app
        self.services = services
        self.lookup = lookup
        self._checks = RequestChecks(services.hosts, settings.body_limit, settings.dataset_limit, settings.traffic_body_limit)

    def close(self) -> None:
        """Close what is open, where no server runs the app's lifespan, too; a second call does nothing."""
        self.lookup.close()
        self.services.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a lookup from the fast path; else check the request, call the app, count and log the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if await self.lookup(scope, send):
            return
        request_id = self.services.request_ids()
        response = _ObservedResponse(send, request_id)
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._answer(scope, receive, response)
            finally:
                self._record(scope, response)

    async def _answer(self, scope: Scope, receive: Receive, response: "_ObservedResponse") -> None:
        try:
            checked_receive = self._checks.check(scope, receive)
        except PromptuaryError as error:
            await error_response(error, scope["path"])(scope, receive, response.send)
        else:
            await self.app(scope, checked_receive, response.send)

    def _record(self, scope: Scope, response: "_ObservedResponse") -> None:
        self.services.request_metrics.count(
            scope["method"], _route_template(scope), response.status, response.seconds_to_start()
        )
        if scope["path"] not in _UNLOGGED_PATHS:
            milliseconds = round(response.seconds() * 1000, 1)
            path = redact_text(scope["path"])[0]
            log.info("request", method=scope["method"], path=path, status=response.status, milliseconds=milliseconds)


class _ObservedResponse:
    """Sends a response with the security headers and the request id, and keeps its status and times."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.status = 500
        self._send = send
        self._headers = [*SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
        self._received_at = time.perf_counter()
        self._started_at: float | None = None

    async def send(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == "http.response.start":
            self._started_at = time.perf_counter()
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers]
        await self._send(message)

    def seconds_to_start(self) -> float:
        """Return the seconds until the response began; until now where it did not begin."""
        return (self._started_at or time.perf_counter()) - self._received_at

    def seconds(self) -> float:
        """Return the seconds until now."""
        return time.perf_counter() - self._received_at


def _route_template(scope: Scope) -> str | None:
    """Return the path template of the route that answered, None where no route did."""
    template: str | None = getattr(scope.get("route"), "path", None)
    return template
