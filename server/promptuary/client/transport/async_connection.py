"""The network for an event loop; see `connection`. A module of its own, so that who uses threads alone imports no asyncio."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from promptuary.client.transport import connection
from promptuary.client.transport.connection import (
    STREAM_CANCELLED,
    STREAM_CLOSED,
    describe_failure,
    describe_stream_end,
)
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    RESPONSE_TOO_LARGE,
    Endpoint,
    FetchFailure,
    HttpResponse,
    ReceivedBody,
    StreamEnd,
    check_stream_response,
)

if TYPE_CHECKING:
    import httpx


class AsyncConnection:
    """Connections for one event loop."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext, transport: "httpx.AsyncBaseTransport | None") -> None:
        """Store the server, and a transport for tests and proxies."""
        import httpx

        self._endpoint = endpoint
        self._http = httpx.AsyncClient(transport=transport, verify=tls)
        self._timeouts: set[asyncio.Timeout] = set()
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpResponse | FetchFailure:
        """Make one request within `seconds`. Nothing is raised except a cancellation."""
        all_headers = self._endpoint.request_headers(headers, has_body=body is not None)
        timeout = asyncio.timeout(seconds)
        self._timeouts.add(timeout)
        try:
            async with (
                timeout,
                self._http.stream(method, url, params=params, content=body, headers=all_headers, timeout=seconds) as response,
            ):
                received = ReceivedBody()
                async for chunk in response.aiter_bytes():
                    if not received.add(chunk):
                        return RESPONSE_TOO_LARGE
                return received.response(response.status_code, response.headers)
        except Exception as error:  # whatever it is, the caller has other tiers
            return CLIENT_CLOSED if self._closed else describe_failure(error)
        finally:
            self._timeouts.discard(timeout)

    async def listen(self, last: int | None, on_chunk: Callable[[bytes], Awaitable[bool]]) -> StreamEnd:
        """Read the stream of changes until it ends, and return how it ended; see `Connection.listen`."""
        url, headers = self._endpoint.stream(last)
        try:
            async with self._http.stream("GET", url, headers=headers, timeout=connection.STREAM_TIMEOUT) as response:
                refusal = check_stream_response(response.status_code, response.headers)
                if refusal is not None:
                    return refusal
                async for chunk in response.aiter_bytes():
                    if not await on_chunk(chunk):
                        return STREAM_CANCELLED
            return STREAM_CLOSED
        except Exception as error:  # whatever it is, the client asks as it would without a stream
            return describe_stream_end(error)

    async def close(self) -> None:
        """Close what is open, and end the requests in flight: closing would miss a connection that is being opened."""
        self._closed = True
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())
        await self._http.aclose()
