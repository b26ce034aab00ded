"""The readers of the stream of changes: a thread, or a task of an event loop. Neither keeps its client or the process alive.

A reader references the core and the client weakly: both know the application, which may be deleted while a read still waits.
What is to be confirmed is a selector: the request for it is built when it starts, from what memory has then.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from promptuary.client.lookup.core import LookupCore
from promptuary.client.stream.change_stream import ChangeStream, StreamAttempt
from promptuary.client.transport.connection import STREAM_CANCELLED, AsyncConnection, Connection
from promptuary.client.transport.wire import StreamEnd
from promptuary.client.versions.selector import Selector


class StreamReader:
    """A thread that reads the stream and confirms what changed, one prompt after the other."""

    def __init__(
        self,
        core: LookupCore,
        stream: ChangeStream,
        connection: Connection,
        confirm: weakref.ref[Callable[[Selector], None]],
    ) -> None:
        """Prepare the thread; `confirm` asks the server about a selector and waits for the response."""
        self._core = weakref.ref(core)
        self._stream = stream
        self._connection = connection
        self._confirm = confirm
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="promptuary-stream", daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: when no thread can be started.
        """
        self._thread.start()

    def stop(self, seconds: float = 0.0) -> None:
        """Abort the connection, and wait at most so many seconds until the thread has ended."""
        self._stopping.set()
        self._connection.abort_stream()
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        attempt: StreamAttempt | None = self._stream.begin()
        while attempt is not None and not self._stopping.is_set():
            end = self._connection.listen(attempt.resume_after, partial(self._on_chunk, attempt))
            self._stopping.wait(_report_end(self._core, attempt, end))
            attempt = self._stream.reconnect(attempt)

    def _on_chunk(self, attempt: StreamAttempt, chunk: bytes) -> bool:
        """Apply some bytes; return whether to read on."""
        core = self._core()
        for selector in () if core is None else core.on_stream_chunk(attempt, chunk):
            confirm = self._confirm()
            if confirm is None or self._stopping.is_set():
                return False
            confirm(selector)
        return not self._stopping.is_set()


class AsyncStreamReader:
    """A task that reads the stream in the loop that started it, as long as that loop runs."""

    def __init__(
        self,
        core: LookupCore,
        stream: ChangeStream,
        connection: AsyncConnection,
        confirm: weakref.ref[Callable[[Selector], Coroutine[Any, Any, None]]],
    ) -> None:
        """Start the task in the running loop; see `StreamReader`."""
        self._core = weakref.ref(core)
        self._stream = stream
        self._connection = connection
        self._confirm = confirm
        self._stopping = False
        self._attempt = stream.begin()
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="promptuary-stream")

    @property
    def alive(self) -> bool:
        """Whether it still reads: its loop runs and has not cancelled it."""
        return self._loop.is_running() and not self._task.done()

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether it reads in the loop."""
        return self._loop is loop

    def stop(self) -> None:
        """End, from any thread; a task of another loop may take over at once."""
        self._stopping = True
        _report_end(self._core, self._attempt, STREAM_CANCELLED)
        with suppress(RuntimeError):  # the loop is closed, and the task with it
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def ended(self) -> None:
        """Wait until it has ended, in its loop."""
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while not self._stopping:
                end = await self._connection.listen(self._attempt.resume_after, partial(self._on_chunk, self._attempt))
                if self._stopping:
                    return
                await asyncio.sleep(_report_end(self._core, self._attempt, end))
                attempt = self._stream.reconnect(self._attempt)
                if attempt is None:  # a task of another loop has taken over
                    return
                self._attempt = attempt
        finally:  # the loop may end it, too
            if not self._stopping:
                _report_end(self._core, self._attempt, STREAM_CANCELLED)

    async def _on_chunk(self, attempt: StreamAttempt, chunk: bytes) -> bool:
        """Apply some bytes; return whether to read on. Bytes of a superseded connection change nothing."""
        core = self._core()
        for selector in () if core is None else core.on_stream_chunk(attempt, chunk):
            confirm = self._confirm()
            if confirm is None:
                return False
            await confirm(selector)
        return not self._stopping


def _report_end(core: weakref.ref[LookupCore], attempt: StreamAttempt, end: StreamEnd) -> float:
    """Report the end of a connection to the core, if it still exists, and return the seconds to wait before the next."""
    present = core()
    return 0.0 if present is None else present.on_stream_end(attempt, end)
