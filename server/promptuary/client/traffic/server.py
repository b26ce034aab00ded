"""The server that takes calls and feedback, over connections of the background thread's own."""

import ssl
import threading
import time
from typing import TYPE_CHECKING

from promptuary.client.transport.connection import Connection
from promptuary.client.transport.wire import Endpoint, FetchFailure, HttpResponse

if TYPE_CHECKING:
    import httpx


HEALTH = "/healthz"


class TrafficServer:
    """Posts bodies. A transport for asyncio alone, which only tests and proxies have, runs in a loop of the thread's own."""

    def __init__(
        self, endpoint: Endpoint, tls: ssl.SSLContext, transport: "httpx.BaseTransport | httpx.AsyncBaseTransport | None"
    ) -> None:
        """Open no connection yet."""
        self._endpoint = endpoint
        self._tls = tls
        self._transport = transport
        self._connection: Connection | None = None
        self._lock = threading.RLock()

    def send(self, path: str, body: bytes, seconds: float, method: str = "POST") -> HttpResponse | FetchFailure:
        """Send a body, and return the response, or why there is none. Nothing is raised."""
        import httpx

        url, transport = self._endpoint.url + path, self._transport
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            import asyncio  # an application with threads alone does not pay for it

            return asyncio.run(self._send(method, url, transport, seconds, body))
        with self._lock:
            if self._connection is None:
                self._connection = Connection(self._endpoint, self._tls, transport, time.monotonic)
            connection = self._connection
        return connection.request(method, url, seconds, body=body or None)

    def is_alive(self, seconds: float) -> bool:
        """Return whether the server answers a small request within so many seconds, beside another one in flight."""
        probe = TrafficServer(self._endpoint, self._tls, self._transport)
        try:
            return isinstance(probe.send(HEALTH, b"", seconds, method="GET"), HttpResponse)
        finally:
            probe.disconnect()

    def disconnect(self) -> None:
        """Close the connections; the next request opens new ones. A transport that was passed in stays open."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None and self._transport is None:
            connection.close()

    async def _send(
        self, method: str, url: str, transport: "httpx.AsyncBaseTransport", seconds: float, body: bytes
    ) -> HttpResponse | FetchFailure:
        from promptuary.client.transport.async_connection import AsyncConnection

        return await AsyncConnection(self._endpoint, self._tls, transport).request(method, url, seconds, body=body or None)
