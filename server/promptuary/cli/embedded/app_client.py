"""An HTTP client of the app in this process, through a transport that needs no socket."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.asgi import App

URL = "http://127.0.0.1"


def app_client(app: App, project: str) -> httpx.Client:
    """Return a client that works in a project with the operator's rights."""
    return httpx.Client(base_url=URL, transport=_InProcessTransport(_trusted(app, project)), timeout=None)


def _trusted(app: App, project: str) -> App:
    async def trusted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: project}, receive, send)

    return trusted


class _AsyncBody(httpx.AsyncByteStream):
    """A streamed body, in the form that an ASGI app reads."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._stream:
            yield piece


class _InProcessTransport(httpx.BaseTransport):
    """Sends each request to the app in this process, on its own event loop."""

    def __init__(self, app: App) -> None:
        self._runner = asyncio.Runner()
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            request.stream = _AsyncBody(request.stream)

        async def send() -> httpx.Response:
            response = await self._transport.handle_async_request(request)
            await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=response.content)

        return self._runner.run(send())

    def close(self) -> None:
        self._runner.close()
