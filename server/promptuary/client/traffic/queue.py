"""The queue of what an application reports, and the thread that sends it.

A caller appends, and waits for nothing. Every lock that a caller takes is reentrant and `SimpleQueue.put` is, too, so that a
signal handler or a finalizer may report in the middle of another report.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from promptuary.client.traffic import exit_flush
from promptuary.client.traffic.encoding import encode_item
from promptuary.client.traffic.items import PATHS, DropReason, QueuedItem, TrafficCounts
from promptuary.client.traffic.sending import BatchSender
from promptuary.client.traffic.server import TrafficServer

log = logging.getLogger("promptuary.client")
QUEUE_ITEMS = 10_000
QUEUE_BYTES = 32 * 1024 * 1024
BATCH_ITEMS = 200
BATCH_BYTES = 512 * 1024
LINGER_SECONDS = 0.5
"""How long the first item of a batch waits for others."""
IDLE_SECONDS = 30.0
"""After which the thread ends; the next report starts another one."""
WARNING_SECONDS = 60.0
END_LIMIT = 20.0
"""How many seconds the end of the process waits for a server that answers, where its deadline is not longer."""


@dataclass(frozen=True)
class TrafficOptions:
    """Limits of a client's reports: see the client's arguments of the same names."""

    contents: bool = True
    exit_deadline: float = 2.0
    items: int = QUEUE_ITEMS
    size: int = QUEUE_BYTES


class TrafficQueue:
    """What one process reports. A child after a fork has a queue of its own."""

    def __init__(
        self, options: TrafficOptions, server: TrafficServer, clock: Callable[[], float], *, is_closed: bool = False
    ) -> None:
        """Start nothing; `server` takes what is reported, and `clock` returns monotonic seconds."""
        self._server = server
        self._options = options
        self._clock = clock
        self._items: SimpleQueue[QueuedItem | threading.Event] = SimpleQueue()
        self._sender = BatchSender(server.send, self._count_sent, self._count_dropped, clock)
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._queued = self._bytes = self._sent = 0
        self._dropped: dict[DropReason, int] = {}
        self._warned_at: float | None = None
        self._is_closed = is_closed

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is accepted."""
        return self._is_closed

    @property
    def counts(self) -> TrafficCounts:
        """What became of what was reported until now."""
        with self._lock:
            return TrafficCounts(self._sent, self._queued, dict(self._dropped))

    def report(self, path: str, fields: dict[str, Any]) -> None:
        """Queue a call or feedback, or count it as dropped. Nothing is raised."""
        try:
            item = QueuedItem(path, fields)
        except Exception:  # of any type: the values are the application's own
            self._count_dropped(DropReason.INVALID, 1)
            return
        with self._lock:
            if self._is_closed:
                self._count_dropped(DropReason.CLOSED, 1)
            elif self._queued >= self._options.items or self._bytes + item.size > self._options.size:
                self._count_dropped(DropReason.FULL, 1)
            else:
                self._queued += 1
                self._bytes += item.size
                self._items.put(item)
                if self._thread is None:
                    self._start()

    def count_invalid(self) -> None:
        """Count something that could not even be queued."""
        self._count_dropped(DropReason.INVALID, 1)

    def flush(self, timeout: float | None = None, until: float | None = None) -> bool:
        """Wait until everything that was reported before is sent or dropped; return whether it is, within the timeout.

        A pause that the server has requested is respected where it ends before that, or before `until`, by the clock.
        """
        end = until if until is not None else math.inf if timeout is None else self._clock() + timeout
        with self._lock:
            if not self._queued:
                return True
            processed = threading.Event()
            self._items.put(processed)
            self._sender.hurry(end)
            if self._thread is None:
                self._start()
            has_thread = self._thread is not None
        if has_thread:
            return processed.wait(timeout)
        self._work(once=True, until=None if timeout is None else self._clock() + timeout)  # no thread starts any more
        return processed.is_set()

    def flush_at_end(self, started: float) -> bool:
        """Flush before the process ends, or the client is closed; return whether everything is sent or dropped.

        A server without any answer is waited for until the deadline. One that answers is waited for as long as it does, up to
        `END_LIMIT` seconds: it may be starting, or have requested a pause.

        Args:
            started: when the end began, by the clock.
        """
        seconds = self._options.exit_deadline
        until, limit = started + seconds, started + max(END_LIMIT, seconds)
        has_thread = self._thread is not None
        while True:
            if not has_thread and self.counts.queued and self._server.is_alive(seconds):
                until = limit
            if self.flush(max(0.0, until - self._clock()), limit):
                return True
            if not has_thread or not seconds or self._clock() >= limit or not self._server.is_alive(seconds):
                return False
            until = min(limit, self._clock() + seconds)

    def close(self) -> None:
        """Flush, and accept nothing more; what is unsent by then is counted as dropped."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        if not self.flush_at_end(self._clock()):
            self._sender.stop()
        self._server.disconnect()

    def disconnect(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._server.disconnect()

    def _start(self) -> None:
        """Start the thread. Where none can be started, the next report tries again, and the end of the process sends."""
        thread = threading.Thread(target=self._work, name="promptuary-traffic", daemon=True)
        self._thread = thread
        exit_flush.add(self)
        try:
            thread.start()
        except RuntimeError:
            self._thread = None

    def _work(self, *, once: bool = False, until: float | None = None) -> None:
        """Send batches until nothing was queued for a while."""
        while True:
            batch, processed = self._next_batch(once=once)
            if batch:
                self._process(batch, until)
            for event in processed:
                event.set()
            if batch or processed:
                continue
            with self._lock:
                if self._items.empty():
                    if not once:
                        self._thread = None
                        exit_flush.discard(self)
                        self._server.disconnect()
                    return

    def _next_batch(self, *, once: bool) -> tuple[list[QueuedItem], list[threading.Event]]:
        """Return the next items; with the events of those who wait for them, which end a batch."""
        batch: list[QueuedItem] = []
        size, deadline = 0, self._clock() + (0.0 if once else IDLE_SECONDS)
        while len(batch) < BATCH_ITEMS and size < BATCH_BYTES:
            try:
                item = self._items.get(timeout=max(0.0, deadline - self._clock()))
            except Empty:
                break
            if isinstance(item, threading.Event):
                return batch, [item]
            if not batch and not once:
                deadline = self._clock() + LINGER_SECONDS
            batch.append(item)
            size += item.size
        return batch, []

    def _process(self, batch: list[QueuedItem], until: float | None) -> None:
        bodies: dict[str, list[bytes]] = {path: [] for path in PATHS}
        for item in batch:
            try:
                bodies[item.path].append(encode_item(item, contents=self._options.contents))
            except Exception:  # of any type: the values are the application's own
                self._count_dropped(DropReason.INVALID, 1)
        try:
            for path, encoded in bodies.items():
                self._sender.send(path, encoded, until)
        finally:
            with self._lock:
                self._queued -= len(batch)
                self._bytes -= sum(item.size for item in batch)

    def _count_sent(self, number: int) -> None:
        with self._lock:
            self._sent += number

    def _count_dropped(self, reason: DropReason, number: int, detail: str = "") -> None:
        """Count what is dropped, and warn of it once a minute at most."""
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + number
            now = self._clock()
            is_due = self._warned_at is None or now - self._warned_at >= WARNING_SECONDS
            if not is_due:
                return
            self._warned_at = now
            dropped: Mapping[str, int] = {str(name): count for name, count in self._dropped.items()}
        text = ", ".join(f"{count} {name}" for name, count in dropped.items())
        log.warning("calls or feedback were not reported: %s%s; see client.traffic", text, f" ({detail})" if detail else "")


def new_id() -> str:
    """Return an id for a call or feedback."""
    return os.urandom(16).hex()
