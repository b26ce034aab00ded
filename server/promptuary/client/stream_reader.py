"""The thread that reads the stream of changes. It keeps neither its client nor the process alive.

A reader references the core and the client weakly: both know the application, which may be deleted while a read still waits.
What is to be confirmed is a selector: the request for it is built when it starts, from what memory has then.
"""

import threading
import weakref
from collections.abc import Callable
from functools import partial

from promptuary.client.lookup.core import LookupCore
from promptuary.client.stream.change_stream import ChangeStream, StreamAttempt
from promptuary.client.transport.connection import Connection
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
            self._stopping.wait(report_end(self._core, attempt, end))
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


def report_end(core: weakref.ref[LookupCore], attempt: StreamAttempt, end: StreamEnd) -> float:
    """Report the end of a connection to the core, if it still exists, and return the seconds to wait before the next."""
    present = core()
    return 0.0 if present is None else present.on_stream_end(attempt, end)
