"""uvicorn's HTTP protocol with limits: of the header before it is parsed, of time, of framing, and of open connections.

httptools has no limit of its own: it joins a header's pieces for as long as they come, each time by copying all of it. Data is
therefore parsed in small pieces, and the bytes of a header are counted as they come.
"""

import asyncio
from enum import Enum
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from promptuary.http_server import refusal as refusals
from promptuary.http_server.connection_table import ConnectionTable
from promptuary.http_server.limits import ConnectionLimits
from promptuary.http_server.refusal import ParsingRefused, Refusal
from promptuary.http_server.scope import CONNECTION

PIECE_BYTES = 16 * 1024
LINGER_SECONDS = 2.0
PIPELINE_LIMIT = 64
BYTES_A_SECOND = 4096
_FRAMING_A_BYTE = 8
_VERSION_BYTES = 14  # the version, the request line's spaces and end, and the empty line
_FOREVER = float("inf")


class Phase(Enum):
    """What a connection does."""

    HEAD = "head"  # waits for a header, of which a part may be there
    BODY = "body"  # waits for the rest of a body
    ANSWERING = "answering"  # has a whole request, and waits for its response
    IDLE = "idle"  # has sent a response, and waits for the next request
    DISCARDING = "discarding"  # has sent a response, and waits for the rest of a body that nobody reads
    REFUSING = "refusing"  # sends the responses to earlier requests, then a refusal
    LINGERING = "lingering"  # has sent its last response, and waits for the client to close
    UPGRADED = "upgraded"  # belongs to another protocol


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    table: ClassVar[ConnectionTable]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Create the connection as uvicorn does."""
        super().__init__(*arguments, **options)
        self.is_trusted = False
        """Whether a request with a valid key has come; such a connection is not closed for another one."""
        self._limits = self.table.limits
        self._phase = Phase.HEAD
        self._deadline = _FOREVER
        self._message = self._message_with_body = 0
        self._head_bytes = self._piece_bytes = 0
        self._body_bytes = self._fed_bytes = self._bare_bytes = 0
        self._refusal: Refusal | None = None
        self._running: RequestResponseCycle | None = None
        self._write_paused_at: tuple[float, int] | None = None

    # --- the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a new connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self._limits.header_seconds
        if not self.table.admit(self.connections, self.loop):
            self._send_refusal(refusals.TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Disconnect the request that is being answered, too; uvicorn disconnects only the newest one."""
        super().connection_lost(exc)
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Parse data, in small pieces."""
        if len(data) <= PIECE_BYTES:
            self._feed(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), PIECE_BYTES):
            if self.transport.is_closing():
                return
            self._feed(view[start : start + PIECE_BYTES])

    def _feed(self, data: bytes | memoryview) -> None:
        phase = self._phase
        if phase in _DEAF:
            return
        message, self._piece_bytes = self._message, len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._phase = Phase.UPGRADED
                self.handle_websocket_upgrade()
            return  # any other protocol is not spoken here: the request is answered as it is
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, ParsingRefused) else refusals.MALFORMED)
            return
        if self._phase is Phase.HEAD:
            # What another request ends in is not counted; the whole header is measured when it is complete.
            self._count_head(message in (0, self._message) or phase is Phase.IDLE)
        elif self._phase is Phase.BODY:
            if self._message_with_body != self._message:
                self._expect_body()
            self._count_framing()

    def _count_head(self, is_all_header: bool) -> None:
        """Refuse a header that is not complete and too large already."""
        self._head_bytes = self._head_bytes + self._piece_bytes if is_all_header else 0
        if self._head_bytes > self._limits.header_bytes:
            self._refuse(refusals.header_too_large(self._limits.header_bytes))
        elif self.headers is not None and len(self.headers) > self._limits.header_count:
            self._refuse(refusals.too_many_headers(self._limits.header_count))

    def _count_framing(self) -> None:
        """Refuse a body that consists of chunk extensions, of tiny chunks or of trailers."""
        self._fed_bytes += self._piece_bytes
        self._bare_bytes += self._piece_bytes
        if self._bare_bytes > self._limits.header_bytes or len(self.headers) > self._limits.header_count:
            self._refuse(refusals.header_too_large(self._limits.header_bytes))
        elif self._fed_bytes - self._body_bytes > self._limits.header_bytes + _FRAMING_A_BYTE * self._body_bytes:
            self._refuse(refusals.TOO_MANY_FRAMES)

    # --- the parser's events ---

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[CONNECTION] = self
        self._message += 1
        self._phase = Phase.HEAD
        self._deadline = self.loop.time() + self._limits.header_seconds

    def on_headers_complete(self) -> None:
        """Check the whole header, then have the app answer."""
        if len(self.headers) > self._limits.header_count:
            raise ParsingRefused(refusals.too_many_headers(self._limits.header_count))
        if self._head_bytes + self._piece_bytes > self._limits.header_bytes:
            line = len(self.parser.get_method()) + len(self.url) + _VERSION_BYTES
            if line + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.header_bytes:
                raise ParsingRefused(refusals.header_too_large(self._limits.header_bytes))
        self._head_bytes = 0
        super().on_headers_complete()
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        self._phase = Phase.BODY
        self._body_bytes = 0
        self.headers = []  # trailers do not become headers of a request that is being answered
        if len(self.pipeline) > PIPELINE_LIMIT:
            raise ParsingRefused(refusals.TOO_MANY_PIPELINED)

    def _expect_body(self) -> None:
        """Begin to wait for the rest of a body; most requests come whole."""
        self._message_with_body = self._message
        self._deadline = self.loop.time() + self._limits.body_seconds
        self._fed_bytes, self._bare_bytes = self._body_bytes, 0
        self._piece_bytes = 0  # a part of it is header
        self.cycle.transport = cast(asyncio.Transport, _ClosingTransport(self))

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_bytes += len(body)
        self._bare_bytes = 0
        self._deadline += len(body) / BYTES_A_SECOND
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        if self._phase is Phase.DISCARDING:
            self._wait_for_next()
        else:
            self._phase = Phase.ANSWERING
            self._deadline = _FOREVER

    def on_response_complete(self) -> None:
        """Begin the next request of the pipeline, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self._phase is Phase.LINGERING:
            return
        if self.pipeline:
            if self._refusal is None:
                self.flow.resume_reading()
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._send_refusal(self._refusal)
        elif self._phase is Phase.ANSWERING:
            self.flow.resume_reading()
            self._wait_for_next()
        elif self._phase is Phase.BODY:
            self._discard_body()

    def _wait_for_next(self) -> None:
        self._phase = Phase.IDLE
        self._deadline = self.loop.time() + self._limits.keep_alive_seconds

    def _discard_body(self) -> None:
        """Read the rest of a body whose request is answered already; a client that waits for `100 Continue` sends none."""
        if self.expect_100_continue and not self._body_bytes:
            self.finish()
            return
        self.flow.resume_reading()
        self._phase = Phase.DISCARDING
        self._deadline = self.loop.time() + LINGER_SECONDS

    # --- refusals ---

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that is not HTTP."""
        self._refuse(refusals.MALFORMED)

    def _refuse(self, refusal: Refusal) -> None:
        """Refuse the request that is being read, after the responses to earlier ones."""
        cycle = self.cycle if self._phase in (Phase.BODY, Phase.DISCARDING) else None
        if cycle is not None and not self.pipeline:
            self._refuse_running(cycle, refusal)
            return
        if cycle is not None:
            self.pipeline.popleft()  # its request is the newest one, and has not begun
        if self.cycle is not None and not self.cycle.response_complete:
            self._phase, self._deadline, self._refusal = Phase.REFUSING, _FOREVER, refusal
            self.flow.pause_reading()
        else:
            self._send_refusal(refusal)

    def _refuse_running(self, cycle: RequestResponseCycle, refusal: Refusal) -> None:
        """Refuse a request whose header was accepted and whose body is wrong."""
        if cycle.response_complete:
            self.finish()
        elif cycle.response_started:
            self.transport.abort()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._send_refusal(refusal)

    def _send_refusal(self, refusal: Refusal) -> None:
        self.table.count_refusal(refusal.code, self.loop)
        if not self.transport.is_closing():
            self.transport.write(refusal.response(self.server_state.default_headers))
            self._linger()

    # --- the connection's end ---

    def finish(self) -> None:
        """Close the connection; where a body has not come completely, in a way that lets the client read the response."""
        if self._phase in (Phase.BODY, Phase.DISCARDING):
            self._linger()
        elif self._phase is not Phase.LINGERING:
            self.transport.close()

    def _linger(self) -> None:
        """End the sending half, and read on for a moment: a close with unread data would reset the connection."""
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self._phase = Phase.LINGERING
        self._deadline = self.loop.time() + LINGER_SECONDS
        self.transport.write_eof()
        self.flow.resume_reading()

    def idle_since(self) -> float | None:
        """Return since when the connection waits for a request without having sent a valid key, else None."""
        if self.is_trusted or self.transport.is_closing():
            return None
        if self._phase is Phase.HEAD and (self.cycle is None or self.cycle.response_complete):
            return self._deadline - self._limits.header_seconds
        if self._phase is Phase.IDLE:
            return self._deadline - self._limits.keep_alive_seconds
        if self._phase in (Phase.LINGERING, Phase.DISCARDING):
            return self._deadline - LINGER_SECONDS
        return None

    def evict(self) -> None:
        """Close the connection, for another one."""
        self.transport.abort()

    def check(self, now: float) -> None:
        """End the connection if it is over one of its times."""
        if self._write_paused_at is not None and self._is_read_too_slowly(now):
            self.transport.abort()
        elif now >= self._deadline:
            self._end_late(now)

    def _end_late(self, now: float) -> None:
        if self._phase is Phase.BODY and self.flow.read_paused:
            self._deadline = now + self._limits.body_seconds  # the app has not taken what came: the client is not late
        elif self._phase is Phase.BODY:
            self._refuse(refusals.BODY_LATE)
        elif self._phase is Phase.HEAD and self._head_bytes:
            self._refuse(refusals.HEADER_LATE)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _is_read_too_slowly(self, now: float) -> bool:
        assert self._write_paused_at is not None
        paused_at, buffered = self._write_paused_at
        sent = max(0, buffered - self.transport.get_write_buffer_size())
        return now > paused_at + self._limits.send_seconds + sent / BYTES_A_SECOND

    def pause_writing(self) -> None:
        """Record since when the client does not read."""
        self._write_paused_at = (self.loop.time(), self.transport.get_write_buffer_size())
        super().pause_writing()

    def resume_writing(self) -> None:
        """Record that the client has read."""
        self._write_paused_at = None
        super().resume_writing()


_DEAF = frozenset({Phase.REFUSING, Phase.LINGERING, Phase.UPGRADED})


class _ClosingTransport:
    """The transport of a request that has a body, as its response sees it: closing it waits for the client to read."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        self._protocol.finish()


def bounded_protocol(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """Return the protocol of one server."""
    return type("ServerProtocol", (BoundedProtocol,), {"table": ConnectionTable(limits)})
