"""Connections to providers, kept from call to call. Each event loop has its own: one that outlives its loop breaks the next."""

import asyncio
import weakref
from typing import Any

import httpx

KEPT_CONNECTIONS = 1024


class LoopClient(httpx.AsyncClient):
    """An HTTP client that may be used in one event loop after another; it sends by a client of the running one."""

    def __init__(self, timeout: float) -> None:
        """Keep the seconds that a request may take; nothing is opened yet."""
        super().__init__(timeout=timeout)
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = weakref.WeakKeyDictionary()

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send by the running loop's client, over a connection that it kept where there is one."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
            client = self._clients[loop] = httpx.AsyncClient(limits=limits, timeout=self.timeout)
        return await client.send(request, **how)

    async def leave(self) -> None:
        """Close the running loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
