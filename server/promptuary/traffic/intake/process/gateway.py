"""The server's side of the intake process: it starts with the server, or the first request, and again after it ended."""

import asyncio
import contextlib
import itertools
import math
import socket
import subprocess
import sys

import structlog

from promptuary.core.errors import TooManyRequests, Unavailable
from promptuary.core.settings import Settings
from promptuary.prompt.errors import PromptuaryError
from promptuary.traffic.intake.process.frames import HEADER, ReplyMessage, RequestMessage, pack, unpack
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.request import IntakeRequest

log = structlog.get_logger(__name__)
PROGRAM = "promptuary.traffic.intake.process.main"
PENDING_REQUESTS = 256
PENDING_BODIES = 8
"""The most requests, and the most bodies of the largest size, that wait in memory for the process."""
REPLY_SECONDS = 60.0
STOP_SECONDS = 5.0
RETRY_AFTER = 2
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before a process starts that ended without a reply, growing: one that cannot start does not take the machine."""


class _Connection:
    """One intake process, and the requests that it has not answered."""

    def __init__(self, process: "subprocess.Popen[bytes]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.writer = writer
        self.pending: dict[int, asyncio.Future[ReplyMessage]] = {}
        self.is_open = True
        self.has_replied = False
        self.reading = asyncio.create_task(self._read_replies(reader))

    async def _read_replies(self, reader: asyncio.StreamReader) -> None:
        """Pass replies on until the process ends; the requests in flight are unanswered then."""
        try:
            while True:
                (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
                reply: ReplyMessage = unpack(await reader.readexactly(size))
                self.has_replied = True
                future = self.pending.pop(reply.number, None)
                if future is not None and not future.done():
                    future.set_result(reply)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.is_open = False
            self.writer.close()
            for future in self.pending.values():
                if not future.done():
                    future.set_exception(Unavailable("the intake ended before it answered; send the same request again"))


class ProcessIntake:
    """Takes requests in another process. It belongs to the event loop of its first request."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._numbers = itertools.count()
        self._connection: _Connection | None = None
        self._starting = asyncio.Lock()
        self._ended: _Connection | None = None
        self._failures = 0
        self._pause_until = 0.0
        self._restarting: asyncio.Task[None] | None = None
        self._requests = 0
        self._bytes = 0
        self._is_closed = False

    @property
    def process_id(self) -> int | None:
        """The id of the process that runs now; None without one."""
        connection = self._connection
        return connection.process.pid if connection is not None and connection.is_open else None

    async def start(self) -> None:
        """Start the process, so that no request waits for it; where it cannot start, the first request tries again."""
        with contextlib.suppress(Unavailable):  # it is logged
            await self._open()

    async def take(self, request: IntakeRequest) -> IntakeReport:
        """Take a request; see `IntakeGateway`."""
        size = len(request.body)
        is_full = self._bytes + size > PENDING_BODIES * self._settings.traffic_body_limit
        if self._requests >= PENDING_REQUESTS or (is_full and self._requests):
            raise TooManyRequests("more traffic comes in than the intake can store; send it again later", RETRY_AFTER)
        self._requests += 1
        self._bytes += size
        try:
            reply = await self._exchange(request)
        finally:
            self._requests -= 1
            self._bytes -= size
        if isinstance(reply, PromptuaryError):
            raise reply
        if reply is None:
            raise RuntimeError("the intake failed on a request; its log names the place")
        return reply

    def close(self) -> None:
        """End the process; it stores what it has begun with."""
        self._is_closed = True
        if self._restarting is not None:
            self._restarting.cancel()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.writer.transport.abort()
        try:
            connection.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            connection.process.kill()
            connection.process.wait()

    async def _exchange(self, request: IntakeRequest) -> IntakeReport | PromptuaryError | None:
        connection = await self._open()
        number = next(self._numbers)
        future: asyncio.Future[ReplyMessage] = asyncio.get_running_loop().create_future()
        connection.pending[number] = future
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                connection.writer.write(pack(RequestMessage(number, request)))
                await connection.writer.drain()
                return (await future).reply
        except TimeoutError:
            raise Unavailable("the intake does not answer in time; send the same request again", RETRY_AFTER) from None
        except OSError:
            raise Unavailable("the intake ended before it answered; send the same request again", RETRY_AFTER) from None
        finally:
            connection.pending.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # retrieved, also where the write failed first

    async def _open(self) -> _Connection:
        """Return the connection to the process that runs; start one where none does."""
        async with self._starting:
            connection = self._connection
            if connection is not None and connection.is_open:
                return connection
            if self._is_closed:
                raise Unavailable("the service stops; send the same request again")
            if connection is not None:
                await self._count_end(connection)
            pause = self._pause_until - asyncio.get_running_loop().time()
            if pause > 0:
                raise Unavailable(
                    "the intake cannot start; its log has the reason. Send the same request later", math.ceil(pause)
                )
            try:
                opened = await self._start()
            except OSError as error:
                self._pause()
                log.error("the intake process cannot start", error=str(error))
                raise Unavailable("the intake cannot start; send the same request later", RETRY_AFTER) from None
            if self._is_closed:
                opened.writer.transport.abort()
                raise Unavailable("the service stops; send the same request again")
            self._connection = opened
            opened.reading.add_done_callback(lambda _: self._restart_later())
            return opened

    async def _count_end(self, connection: _Connection) -> None:
        """Wait for the end of a process, and let the next one wait where this one has not replied to anything."""
        if self._ended is connection:
            return
        code = await asyncio.to_thread(connection.process.wait)
        self._ended = connection
        log.warning("the intake process ended; another one starts", code=code)
        if connection.has_replied:
            self._failures, self._pause_until = 0, 0.0
        else:
            self._pause()

    def _pause(self) -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))
        self._pause_until = asyncio.get_running_loop().time() + pause

    def _restart_later(self) -> None:
        if not self._is_closed:
            self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        """Start another process without waiting for a request."""
        while not self._is_closed:
            try:
                await self._open()
                return
            except Unavailable:
                await asyncio.sleep(max(FIRST_PAUSE, self._pause_until - asyncio.get_running_loop().time()))

    async def _start(self) -> _Connection:
        own, other = socket.socketpair()
        with other:
            process = await asyncio.to_thread(_start_program, other)
        own.setblocking(False)
        try:
            reader, writer = await asyncio.open_connection(sock=own)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        writer.write(pack(self._settings))
        return _Connection(process, reader, writer)


def _start_program(connection: socket.socket) -> "subprocess.Popen[bytes]":
    """Start the program with its end of the connection, and with nothing else that is open here."""
    descriptor = connection.fileno()
    return subprocess.Popen([sys.executable, "-m", PROGRAM, str(descriptor)], pass_fds=[descriptor], stdin=subprocess.DEVNULL)
