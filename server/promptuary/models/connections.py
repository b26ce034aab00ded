"""Connections to providers, kept from call to call. Each event loop has its own: one that outlives its loop breaks the next."""

import asyncio
import weakref
from typing import Any

import httpx


class EventLoopClient(httpx.AsyncClient):
    """An HTTP client that may be used in one event loop after another; it sends by a client that belongs to the running one.

    Each request that is under way has a client to itself, which goes back to a pile: a pool of many connections looks at all
    of them for every request, which at 64 costs more than the request.
    """

    def __init__(self, timeout: float) -> None:
        """Keep the seconds that a request may take; nothing is opened yet."""
        super().__init__(timeout=timeout)
        self._secured = httpx.create_ssl_context()  # shared, for making one takes longer than a call
        self._piles: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[httpx.AsyncClient]] = weakref.WeakKeyDictionary()

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send by a client of the running loop, over a connection that it kept where there is one."""
        pile = self._piles.setdefault(asyncio.get_running_loop(), [])
        # The last that came back: what is not needed any more lies still below, until the loop is left.
        client = pile.pop() if pile else httpx.AsyncClient(verify=self._secured, timeout=self.timeout)
        try:
            return await client.send(request, **how)
        finally:
            pile.append(client)

    async def close_connections(self) -> None:
        """Close the running loop's connections."""
        for client in self._piles.pop(asyncio.get_running_loop(), []):
            await client.aclose()
