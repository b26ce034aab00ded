"""Who reads the stream of changes: a thread, or a task of an event loop. Neither keeps its client or the process alive."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from promptuary.client.lookup.cache import PendingFetch
from promptuary.client.lookup.core import LookupCore
from promptuary.client.stream.change_stream import ChangeStream
from promptuary.client.transport.connection import STREAM_CANCELLED, AsyncConnection, Connection
from promptuary.client.transport.wire import StreamEnd


class StreamReader:
    """A thread that reads the stream and has what changed confirmed, one after the other."""

    def __init__(
        self,
        core: LookupCore,
        following: ChangeStream,
        connection: Connection,
        confirm: weakref.ref[Callable[[PendingFetch], None]],
    ) -> None:
        """Take what to do with a question, held weakly: it is the client's, as the core is, which knows the application."""
        self._core = weakref.ref(core)
        self._following = following
        self._connection = connection
        self._confirm = confirm
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="promptuary-stream", daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: when no thread can be started.
        """
        self._thread.start()

    def stop(self, seconds: float = 0.0) -> None:
        """End, and wait so long at most until it has. What a connection waits for is broken off."""
        self._stopping.set()
        self._connection.abort_stream()
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            ended = self._connection.listen(self._following.begin(), self._on_chunk)
            self._stopping.wait(_pause(self._core, ended))

    def _on_chunk(self, chunk: bytes) -> bool:
        core = self._core()
        for question in () if core is None else core.heard(chunk):
            confirm = self._confirm()
            if confirm is None or self._stopping.is_set():
                return False
            confirm(question)
        return not self._stopping.is_set()


class AsyncStreamReader:
    """A task that reads the stream in the loop that started it, as long as that loop runs."""

    def __init__(
        self,
        core: LookupCore,
        following: ChangeStream,
        connection: AsyncConnection,
        confirm: weakref.ref[Callable[[PendingFetch], Coroutine[Any, Any, None]]],
    ) -> None:
        """Start in the running loop; see `Follower` for what is held weakly."""
        self._core = weakref.ref(core)
        self._following = following
        self._connection = connection
        self._confirm = confirm
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="promptuary-stream")

    @property
    def alive(self) -> bool:
        """Whether it still reads: its loop runs, and did not cancel it."""
        return self._loop.is_running() and not self._task.done()

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether it reads in the loop."""
        return self._loop is loop

    def stop(self) -> None:
        """End, from whatever thread; another loop's task may take over at once."""
        self._stopping = True
        _pause(self._core, STREAM_CANCELLED)
        with suppress(RuntimeError):  # the loop is closed, and the task with it
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def ended(self) -> None:
        """Wait until it has ended, in its loop."""
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while not self._stopping:
                ended = await self._connection.listen(self._following.begin(), self._on_chunk)
                if not self._stopping:
                    await asyncio.sleep(_pause(self._core, ended))
        finally:  # the loop may end it, too
            if not self._stopping:
                _pause(self._core, STREAM_CANCELLED)

    async def _on_chunk(self, chunk: bytes) -> bool:
        if self._stopping:  # another loop's task has taken over while this loop stood still
            return False
        core = self._core()
        for question in () if core is None else core.heard(chunk):
            confirm = self._confirm()
            if confirm is None:
                return False
            await confirm(question)
        return not self._stopping


def _pause(core: weakref.ref[LookupCore], ended: StreamEnd) -> float:
    """Tell the core, if it is still there, that the stream is over, and give the seconds to wait."""
    there = core()
    return 0.0 if there is None else there.stream_ended(ended)
