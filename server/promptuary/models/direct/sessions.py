"""Requests by aiohttp, over one session for each event loop; its errors are those of httpx, which OpenAI's package knows."""

import asyncio
import ssl
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import aiohttp

KEEP_ALIVE = 5.0
"""Seconds for which an idle connection is kept, as httpx keeps it."""


@dataclass(frozen=True)
class ChatEndpoint:
    """Where the requests of one model go.

    Attributes:
        url: with its query.
        headers: of every request.
        timeout: seconds for the connection, and again for each part of a response; None for no limit.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)  # the key is in them
    timeout: float | None


@dataclass(frozen=True)
class ReceivedResponse:
    """A response that is read to its end.

    Attributes:
        status: of HTTP.
        headers: in their order, as received; those of an encoding, too, which is undone.
        content: the body.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    content: bytes

    def to(self, request: httpx.Request) -> httpx.Response:
        """Return the response as httpx would have returned it for a request."""
        return httpx.Response(self.status, headers=_without_encoding(self.headers), content=self.content, request=request)


class LoopSessions:
    """The sessions of a process, one for each event loop that sends."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext]) -> None:
        """Open nothing yet.

        Args:
            ssl_context: returns the trusted certificates; called for the first encrypted address.
        """
        self._ssl_context = ssl_context
        self._sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession]
        self._sessions = weakref.WeakKeyDictionary()

    async def post(self, endpoint: ChatEndpoint, body: bytes) -> ReceivedResponse:
        """Send a body and read the response, whatever its status is; no redirect is followed.

        Raises:
            httpx.TransportError: for no connection, a broken one, or no response in time, as httpx raises it.
        """
        import aiohttp

        encrypted = endpoint.url.startswith("https:")
        try:
            async with self._session().post(
                _exact(endpoint.url),
                data=body,
                headers=endpoint.headers,
                allow_redirects=False,
                ssl=self._ssl_context() if encrypted else True,
                timeout=_time_limits(endpoint.timeout),
            ) as response:
                content = await response.read()
                return ReceivedResponse(response.status, response.raw_headers, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _transport_error(error) from error

    async def close(self) -> None:
        """Close the session of the running loop; another request opens a new one."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _session(self) -> "aiohttp.ClientSession":
        import aiohttp

        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            # The client of the run limits the calls in flight.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
            self._sessions[loop] = session
        return session


@cache
def _exact(url: str) -> "aiohttp.client.URL":  # type: ignore[name-defined]  # yarl's, which aiohttp takes
    import yarl

    return yarl.URL(url, encoded=True)


@cache
def _time_limits(seconds: float | None) -> "aiohttp.ClientTimeout":
    import aiohttp

    return aiohttp.ClientTimeout(sock_connect=seconds, sock_read=seconds)


def _without_encoding(headers: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    undone = (b"content-encoding", b"content-length", b"transfer-encoding")
    return [(name, value) for name, value in headers if name.lower() not in undone]


def _transport_error(error: BaseException) -> httpx.TransportError:
    """Return the error that httpx has for an error of aiohttp."""
    import aiohttp

    text = str(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(text)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(text)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientSSLError):
        return httpx.ConnectError(text)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientResponseError):
        return httpx.RemoteProtocolError(text)
    return httpx.ReadError(text)
