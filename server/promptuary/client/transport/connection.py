"""The only place that uses the network: one request, within so many seconds, and its answer or why there is none.

Or a stream, and how it ended.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.request import getproxies

import httpx

from promptuary.client.errors import Reason
from promptuary.client.stream.change_stream import SILENCE_SECONDS
from promptuary.client.transport.wire import (
    BODY_LIMIT,
    RESPONSE_TOO_LARGE,
    TIMED_OUT,
    Endpoint,
    FetchFailure,
    HttpResponse,
    StreamEnd,
    check_stream_response,
)
from promptuary.client.versions.version import UnusableResponse

STREAM_TIMEOUT = httpx.Timeout(10.0, read=SILENCE_SECONDS)
STREAM_CANCELLED = StreamEnd("the client does not listen any more")
STREAM_CLOSED = StreamEnd("the server ended the stream")


def build_tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Make the TLS settings once, when a client is made: reading the certificates takes tens of milliseconds.

    Plain HTTP needs none, so it gets settings that trust nobody, unless a proxy stands between.
    """
    if endpoint.url.startswith("http:") and not getproxies():
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()


class Connection:
    """Connections for threads, made at the first request."""

    def __init__(
        self, endpoint: Endpoint, tls: ssl.SSLContext, transport: httpx.BaseTransport | None, clock: Callable[[], float]
    ) -> None:
        """Take the server, a transport for tests and proxies, and a monotonic clock in seconds."""
        self._endpoint = endpoint
        self._tls = tls
        self._transport = transport
        self._clock = clock
        self._http: httpx.Client | None = None
        self._http_for_stream: httpx.Client | None = None
        self._sockets: list[socket.socket] = []
        self._hung_up = False
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        etag: str | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> HttpResponse | FetchFailure:
        """Make one request. `seconds` bounds every single wait in it, and the body as a whole. Nothing is raised.

        It may take longer than that in all; a caller who cannot wait must look away (and may still want what comes late).
        """
        headers = self._endpoint.headers(etag)
        try:
            with self._opened().stream(method, url, params=params, json=json, headers=headers, timeout=seconds) as answer:
                until = self._clock() + seconds
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > BODY_LIMIT:
                        return RESPONSE_TOO_LARGE
                    if self._clock() > until:
                        return TIMED_OUT
                return HttpResponse(answer.status_code, dict(answer.headers), bytes(body))
        except Exception as error:  # whatever it is, the caller has other tiers
            return _failure(error)

    def listen(self, last: int | None, hear: Callable[[bytes], bool]) -> StreamEnd:
        """Read the stream of changes until it ends, and say how it did. Nothing is raised.

        Args:
            last: the event after which it should go on.
            hear: takes the bytes as they come, and tells whether to go on.
        """
        url, headers = self._endpoint.stream(last)
        try:
            http = self._opened_for_stream()
            trace = {"trace": self._watch}
            with http.stream("GET", url, headers=headers, timeout=STREAM_TIMEOUT, extensions=trace) as answer:
                refusal = check_stream_response(answer.status_code, answer.headers)
                if refusal is not None:
                    return refusal
                for chunk in answer.iter_bytes():
                    if not hear(chunk):
                        return STREAM_CANCELLED
            return STREAM_CLOSED
        except Exception as error:  # whatever it is, the client asks as it would without a stream
            return _stream_end(error)
        finally:
            self._sockets.clear()

    def abort_stream(self) -> None:
        """End the stream for good, from another thread: closing alone would not wake the one that reads."""
        with self._lock:
            self._hung_up = True
            for sock in self._sockets:
                _shut_down(sock)

    def close(self) -> None:
        """Close what is open."""
        self.abort_stream()
        with self._lock:
            opened, self._http, self._http_for_stream = (self._http, self._http_for_stream), None, None
        for http in opened:
            if http is not None:
                http.close()

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = httpx.Client(transport=self._transport, verify=self._tls)
            return self._http

    def _opened_for_stream(self) -> httpx.Client:
        """Give a client that keeps no connection: a stream always has a new one, whose socket is seen when it is made."""
        with self._lock:
            if self._http_for_stream is None:
                limits = httpx.Limits(max_keepalive_connections=0)
                self._http_for_stream = httpx.Client(transport=self._transport, verify=self._tls, limits=limits)
            return self._http_for_stream

    def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the socket of a stream's connection when it is made."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        sock = info["return_value"].get_extra_info("socket")
        if isinstance(sock, socket.socket):
            with self._lock:
                self._sockets.append(sock)
                if self._hung_up:
                    _shut_down(sock)


class AsyncConnection:
    """Connections for one event loop."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None) -> None:
        """Take the server, and a transport for tests and proxies."""
        self._endpoint = endpoint
        self._http = httpx.AsyncClient(transport=transport, verify=tls)

    async def request(
        self,
        method: str,
        url: str,
        seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        etag: str | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> HttpResponse | FetchFailure:
        """Make one request within `seconds`. Nothing is raised but a cancellation."""
        headers = self._endpoint.headers(etag)
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(method, url, params=params, json=json, headers=headers, timeout=seconds) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_LIMIT:
                        return RESPONSE_TOO_LARGE
                return HttpResponse(answer.status_code, dict(answer.headers), bytes(body))
        except Exception as error:  # whatever it is, the caller has other tiers
            return _failure(error)

    async def listen(self, last: int | None, hear: Callable[[bytes], Awaitable[bool]]) -> StreamEnd:
        """Read the stream of changes until it ends, and say how it did; see `Connection.listen`."""
        url, headers = self._endpoint.stream(last)
        try:
            async with self._http.stream("GET", url, headers=headers, timeout=STREAM_TIMEOUT) as answer:
                refusal = check_stream_response(answer.status_code, answer.headers)
                if refusal is not None:
                    return refusal
                async for chunk in answer.aiter_bytes():
                    if not await hear(chunk):
                        return STREAM_CANCELLED
            return STREAM_CLOSED
        except Exception as error:  # whatever it is, the client asks as it would without a stream
            return _stream_end(error)

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()


def _failure(error: Exception) -> FetchFailure:
    """Say what went wrong by the error's type alone: its text may hold what no log should."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TIMED_OUT
    return FetchFailure(Reason.CONNECTION, f"the server cannot be reached ({type(error).__name__})")


def _stream_end(error: Exception) -> StreamEnd:
    """Say how a stream ended, by the error's type alone; what it sent may be no stream of a Promptuary server's."""
    if isinstance(error, UnusableResponse):
        return StreamEnd(f"the stream cannot be used: {error}", unusable=True)
    return StreamEnd(_failure(error).detail)


def _shut_down(sock: socket.socket) -> None:
    """End a connection under whoever reads from it; the plain socket's way, for the TLS one forgets its session first."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
