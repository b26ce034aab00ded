"""The only place that uses the network: one request, within so many seconds, and its answer or why there is none."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import getproxies

import httpx

from promptuary.client.errors import Reason
from promptuary.client.wire import BODY_LIMIT, LATE, OVERSIZE, Answer, Endpoint, Failure


def tls_for(endpoint: Endpoint) -> ssl.SSLContext:
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
        self._inherited: list[httpx.Client] = []
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
    ) -> Answer | Failure:
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
                        return OVERSIZE
                    if self._clock() > until:
                        return LATE
                return Answer(answer.status_code, dict(answer.headers), bytes(body))
        except Exception as error:  # whatever it is, the caller has other tiers
            return _failure(error)

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def after_fork(self) -> None:
        """Open anew, in the child. What was open is kept, for closing it would say good-bye on the parent's connections."""
        self._lock = threading.Lock()
        if self._http is not None:
            self._inherited.append(self._http)
            self._http = None

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = httpx.Client(transport=self._transport, verify=self._tls)
            return self._http


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
    ) -> Answer | Failure:
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
                        return OVERSIZE
                return Answer(answer.status_code, dict(answer.headers), bytes(body))
        except Exception as error:  # whatever it is, the caller has other tiers
            return _failure(error)

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()


def _failure(error: Exception) -> Failure:
    """Say what went wrong by the error's type alone: its text may hold what no log should."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return LATE
    return Failure(Reason.CONNECTION, f"the server cannot be reached ({type(error).__name__})")
