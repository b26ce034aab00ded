"""The service from the moment it listens: lookups are answered at once, every other request when the rest is built.

The web framework with all routes takes longer to import than everything that a lookup needs.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promptuary.api.asgi import SECURITY_HEADERS, Receive, Scope, Send
from promptuary.api.lookup.fast_path import LookupFastPath
from promptuary.api.lookup.services import LookupServices
from promptuary.api.problems.problem_format import format_problem
from promptuary.core.errors import Unavailable

if TYPE_CHECKING:  # the web framework
    from promptuary.api.middleware import RequestMiddleware

Build = Callable[[LookupServices, LookupFastPath], "RequestMiddleware"]
_SWITCH_SECONDS = 0.0005
"""How long a thread computes while another waits: a lookup does not wait long for the thread that builds the app."""
_RETRY_AFTER = b"1"


def _build_complete_app(services: LookupServices, lookup: LookupFastPath) -> "RequestMiddleware":
    from promptuary.api.app import complete_app  # imports the web framework
    from promptuary.traffic.intake.process.gateway import ProcessIntake

    return complete_app(services, lookup, intake=ProcessIntake(services.settings))


class StartingApp:
    """The ASGI app of a server. It belongs to one event loop, which calls `complete` once it listens."""

    def __init__(self, services: LookupServices, build: Build = _build_complete_app) -> None:
        """Keep the services, which are closed with this object, and what builds the complete app around them."""
        self.services = services
        self._build = build
        self._lookup = LookupFastPath(services)
        self._complete_app: RequestMiddleware | None = None
        self._ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the complete app; before, answer lookups and health checks, and let others wait."""
        if self._complete_app is None:
            if scope["type"] == "http" and (await self._lookup(scope, send) or await self._check_health(scope, send)):
                return
            await self._ended.wait()
        if self._complete_app is not None:
            await self._complete_app(scope, receive, send)
        elif scope["type"] == "http":
            await self._refuse(scope, send, "the service cannot start; its log has the reason")

    async def complete(self) -> "RequestMiddleware":
        """Build the rest of the app in a thread; requests that wait are answered then, or refused where this fails.

        Raises:
            PromptuaryError: for a plug-in or a setting that cannot be used.
        """
        try:
            with _frequent_switches():
                self._complete_app = await asyncio.to_thread(self._build, self.services, self._lookup)
        finally:
            self._ended.set()
        return self._complete_app

    async def close(self) -> None:
        """Close what is open. The complete app closes it at the end of its own lifespan."""
        await self._lookup.stop()
        self._lookup.close()
        self.services.close()

    async def _check_health(self, scope: Scope, send: Send) -> bool:
        """Answer a health check as its route does; return whether the request is one."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if scope["method"] != "GET" or not self.services.hosts.allows(host):
            return False
        if scope["path"] == "/healthz":
            await self._send(send, 200, "application/json", b'{"status":"ok"}')
        elif scope["path"] == "/readyz":
            await self._refuse(scope, send, "the service is starting; it answers lookups, and other requests wait")
        else:
            return False
        return True

    async def _refuse(self, scope: Scope, send: Send, message: str) -> None:
        problem = format_problem(503, Unavailable.code, message, path=scope["path"])
        await self._send(send, problem.status, problem.media_type, problem.body)

    async def _send(self, send: Send, status: int, media_type: str, body: bytes) -> None:
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *SECURITY_HEADERS,
            (b"x-request-id", self.services.request_ids().encode()),
        ]
        if status == 503:
            headers.append((b"retry-after", _RETRY_AFTER))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def _frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
