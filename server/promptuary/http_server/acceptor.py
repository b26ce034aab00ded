"""Accepts connections one at a time, so that a burst of them never takes the last file descriptor.

uvicorn accepts whatever waits before the first of it is looked at. Beyond the limit of descriptors the event loop then
resets connections, and the database cannot open its files.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from promptuary.http_server import refusal as refusals
from promptuary.http_server.connection_table import ConnectionTable

_AT_ONCE = 16
_PAUSE_SECONDS = 0.1


class Acceptor:
    """Accepts a listening socket's connections; it stands where uvicorn has an `asyncio.Server`."""

    def __init__(
        self,
        listener: socket.socket,
        table: ConnectionTable,
        create_protocol: Callable[[], asyncio.Protocol],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Begin to accept.

        Args:
            listener: a listening socket, which this object closes.
            table: the connections and their limit.
            create_protocol: creates the protocol of a connection.
            loop: the server's.
        """
        listener.setblocking(False)
        self.sockets = (listener,)
        self._listener, self._table, self._create_protocol, self._loop = listener, table, create_protocol, loop
        self._pending: set[asyncio.Task[object]] = set()
        self._resumption: asyncio.TimerHandle | None = None
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Stop accepting; open connections stay open."""
        if self._resumption is not None:
            self._resumption.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    async def wait_closed(self) -> None:
        """Wait until accepted connections are handed over."""
        if self._pending:
            await asyncio.wait(self._pending)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor is free: what waits stays in the kernel's queue
                self._table.count_refusal("no_descriptor", self._loop)
                self._loop.remove_reader(self._listener)
                self._resumption = self._loop.call_later(_PAUSE_SECONDS, self._resume)
                return
            accepted.setblocking(False)
            if self._table.has_room(len(self._pending)):
                self._hand_over(accepted)
            else:
                self._refuse(accepted)

    def _resume(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _hand_over(self, accepted: socket.socket) -> None:
        with suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(accepted))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._create_protocol, accepted)
        except OSError:  # the client has gone
            accepted.close()

    def _refuse(self, accepted: socket.socket) -> None:
        """Send the refusal without waiting for the client: too many come at once."""
        self._table.count_refusal(refusals.TOO_MANY_CONNECTIONS.code, self._loop)
        with suppress(OSError):
            accepted.send(refusals.TOO_MANY_CONNECTIONS.response())
            accepted.shutdown(socket.SHUT_WR)
        accepted.close()
