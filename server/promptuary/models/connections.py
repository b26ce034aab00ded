"""Connections to providers, reused from call to call. Each event loop has its own, since a connection breaks with its loop."""

import asyncio
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from promptuary.core.allowed_hosts import AllowedHosts
from promptuary.models.endpoints import CheckedTransport

if TYPE_CHECKING:
    import ssl

RequestHandler = Callable[[httpx.Request], httpx.Response]
_handler: ContextVar[RequestHandler | None] = ContextVar("handler", default=None)


@contextmanager
def requests_handled_by(handler: RequestHandler) -> Iterator[None]:
    """Pass the requests of the block, those of tasks that it starts included, to a function instead of the network."""
    token = _handler.set(handler)
    try:
        yield
    finally:
        _handler.reset(token)


class EventLoopClient(httpx.AsyncClient):
    """An HTTP client that may be used in one event loop after another; it sends by a client of the running loop.

    Each request in flight has a client for itself, which returns to a stack of idle clients. One pool of many connections would
    check all of them for every request, and with 64 connections that costs more than the request.
    """

    def __init__(self, timeout: float, hosts: AllowedHosts | None = None) -> None:
        """Store the limits; nothing is opened yet.

        Args:
            timeout: the seconds that a request may take.
            hosts: the only ones that may be asked, each connection at a checked address; None for any.
        """
        super().__init__(timeout=timeout, transport=httpx.AsyncBaseTransport())  # it opens nothing: `send` does
        self._hosts = hosts
        self._idle: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[httpx.AsyncClient]] = weakref.WeakKeyDictionary()

    @cached_property
    def ssl_context(self) -> "ssl.SSLContext":
        """The trusted certificates; shared, since reading them takes longer than a call."""
        return httpx.create_ssl_context()

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send by a client of the running loop, over a connection that it has open, if there is one."""
        handler = _handler.get()
        if handler is not None:
            return handler(request)
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(loop, [])
        # The last that came back: clients that are not needed any more stay at the bottom until the loop ends.
        client = idle.pop() if idle else self._open_client()
        try:
            return await client.send(request, **options)
        finally:
            if self._idle.get(loop) is idle:
                idle.append(client)
            else:  # the connections of this loop were closed while the request was in flight
                await client.aclose()

    def _open_client(self) -> httpx.AsyncClient:
        if self._hosts is None:
            return httpx.AsyncClient(verify=self.ssl_context, timeout=self.timeout)
        transport = CheckedTransport(self._hosts, httpx.AsyncHTTPTransport(verify=self.ssl_context, trust_env=False))
        return httpx.AsyncClient(transport=transport, timeout=self.timeout, trust_env=False, follow_redirects=False)

    async def close_connections(self) -> None:
        """Close the idle connections of the running loop; those in flight close when their request ends."""
        for client in self._idle.pop(asyncio.get_running_loop(), []):
            await client.aclose()
