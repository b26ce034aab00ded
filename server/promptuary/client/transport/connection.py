"""The network for threads: a request and its response or failure, and the stream of changes and how it ended."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from promptuary.client.errors import Reason
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    RESPONSE_TOO_LARGE,
    STREAM_SILENCE_SECONDS,
    TIMED_OUT,
    Endpoint,
    FetchFailure,
    HttpResponse,
    ReceivedBody,
    StreamEnd,
    check_stream_response,
)
from promptuary.client.versions.version import UnusableResponse

if TYPE_CHECKING:
    import httpx

STREAM_TIMEOUT = (10.0, STREAM_SILENCE_SECONDS, 10.0, 10.0)
"""Seconds to connect, read, write and get a connection, as httpx has them."""
STREAM_CANCELLED = StreamEnd("the client no longer reads the stream")
STREAM_CLOSED = StreamEnd("the server ended the stream")


def build_tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Build the TLS settings, once per client: reading the certificates takes tens of milliseconds.

    Plain HTTP needs none, so its settings trust no certificate, unless there is a proxy in between.
    """
    from urllib.request import getproxies

    import httpx  # takes a quarter of the client's import: paid by who makes a client, and not by its first request

    if endpoint.url.startswith("http:") and not getproxies():
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()


class OpenSockets:
    """The sockets of connections while they are open, which another thread shuts down for good.

    Closing a connection would not wake the thread that reads it, and would miss one that is just being opened.
    """

    def __init__(self) -> None:
        """Begin without a socket."""
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._shut_down = False
        self._lock = threading.Lock()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Add the socket of a connection when it is opened; httpx calls this where it is the extension `trace` of a request."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        sock = info["return_value"].get_extra_info("socket")
        if isinstance(sock, socket.socket):
            with self._lock:
                self._sockets.add(sock)
                if self._shut_down:
                    _shut_down(sock)

    def shut_down(self) -> None:
        """Shut all down, and each that is opened later: who reads it receives its end, and closes it."""
        with self._lock:
            self._shut_down = True
            for sock in self._sockets:
                _shut_down(sock)


class Connection:
    """Connections for threads, opened with the first request."""

    def __init__(
        self, endpoint: Endpoint, tls: ssl.SSLContext, transport: "httpx.BaseTransport | None", clock: Callable[[], float]
    ) -> None:
        """Store the server, a transport for tests and proxies, and a monotonic clock in seconds."""
        self._endpoint = endpoint
        self._tls = tls
        self._transport = transport
        self._clock = clock
        self._http: httpx.Client | None = None
        self._http_for_stream: httpx.Client | None = None
        self._sockets, self._stream_sockets = OpenSockets(), OpenSockets()
        self._closed = False
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpResponse | FetchFailure:
        """Make one request and return its response, or why there is none. Nothing is raised.

        `seconds` limits every single wait in it, and the body as a whole. The request may take longer in all, so a caller with
        a deadline waits in another thread; a late response is still of use.
        """
        all_headers = self._endpoint.request_headers(headers, has_body=body is not None)
        try:
            http = self._client()
            if http is None:
                return CLIENT_CLOSED
            trace = {"trace": self._sockets.trace}
            with http.stream(
                method, url, params=params, content=body, headers=all_headers, timeout=seconds, extensions=trace
            ) as response:
                until = self._clock() + seconds
                received = ReceivedBody()
                for chunk in response.iter_bytes():
                    if not received.add(chunk):
                        return RESPONSE_TOO_LARGE
                    if self._clock() > until:
                        return TIMED_OUT
                return received.response(response.status_code, response.headers)
        except Exception as error:  # whatever it is, the caller has other tiers
            return describe_failure(error)

    def listen(self, last: int | None, on_chunk: Callable[[bytes], bool]) -> StreamEnd:
        """Read the stream of changes until it ends, and return how it ended. Nothing is raised.

        Args:
            last: the id of the event after which the server should resume.
            on_chunk: takes the bytes as they arrive, and returns whether to read on.
        """
        url, headers = self._endpoint.stream(last)
        try:
            http = self._stream_client()
            if http is None:
                return STREAM_CANCELLED
            trace = {"trace": self._stream_sockets.trace}
            with http.stream("GET", url, headers=headers, timeout=STREAM_TIMEOUT, extensions=trace) as response:
                refusal = check_stream_response(response.status_code, response.headers)
                if refusal is not None:
                    return refusal
                for chunk in response.iter_bytes():
                    if not on_chunk(chunk):
                        return STREAM_CANCELLED
            return STREAM_CLOSED
        except Exception as error:  # whatever it is, the client asks as it would without a stream
            return describe_stream_end(error)

    def abort_stream(self) -> None:
        """End the stream for good, from another thread."""
        self._stream_sockets.shut_down()

    def close(self) -> None:
        """Close what is open, and end the requests in flight. A request that starts later opens nothing again."""
        self.abort_stream()
        self._sockets.shut_down()
        with self._lock:
            self._closed = True
            opened, self._http, self._http_for_stream = (self._http, self._http_for_stream), None, None
        for http in opened:
            if http is not None:
                http.close()

    def _client(self) -> "httpx.Client | None":
        import httpx

        with self._lock:
            if self._http is None and not self._closed:
                self._http = httpx.Client(transport=self._transport, verify=self._tls)
            return self._http

    def _stream_client(self) -> "httpx.Client | None":
        """Return a client that keeps no connection: each stream opens a new one."""
        import httpx

        with self._lock:
            if self._http_for_stream is None and not self._closed:
                limits = httpx.Limits(max_keepalive_connections=0)
                self._http_for_stream = httpx.Client(transport=self._transport, verify=self._tls, limits=limits)
            return self._http_for_stream


def describe_failure(error: Exception) -> FetchFailure:
    """Return what went wrong, by the error's type alone: its text may contain what must not be logged."""
    import httpx

    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TIMED_OUT
    return FetchFailure(Reason.CONNECTION, f"the server cannot be reached ({type(error).__name__})")


def describe_stream_end(error: Exception) -> StreamEnd:
    """Return how a stream ended, by the error's type alone; the bytes may not be those of a Promptuary server."""
    if isinstance(error, UnusableResponse):
        return StreamEnd(f"the stream cannot be used: {error}", unusable=True)
    return StreamEnd(describe_failure(error).detail)


def _shut_down(sock: socket.socket) -> None:
    """Shut a connection down while another thread reads it; as a plain socket, since a TLS one would drop its session first."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
