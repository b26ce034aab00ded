"""The task of an event loop that reads the stream of changes; see `stream_reader`."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from promptuary.client.lookup.core import LookupCore
from promptuary.client.stream.change_stream import ChangeStream, StreamAttempt
from promptuary.client.stream_reader import report_end
from promptuary.client.transport.async_connection import AsyncConnection
from promptuary.client.transport.connection import STREAM_CANCELLED
from promptuary.client.versions.selector import Selector


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
        report_end(self._core, self._attempt, STREAM_CANCELLED)
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
                await asyncio.sleep(report_end(self._core, self._attempt, end))
                attempt = self._stream.reconnect(self._attempt)
                if attempt is None:  # a task of another loop has taken over
                    return
                self._attempt = attempt
        finally:  # the loop may end it, too
            if not self._stopping:
                report_end(self._core, self._attempt, STREAM_CANCELLED)

    async def _on_chunk(self, attempt: StreamAttempt, chunk: bytes) -> bool:
        """Apply some bytes; return whether to read on. Bytes of a superseded connection change nothing."""
        core = self._core()
        for selector in () if core is None else core.on_stream_chunk(attempt, chunk):
            confirm = self._confirm()
            if confirm is None:
                return False
            await confirm(selector)
        return not self._stopping
