"""The queue of what an application reports, and the thread that sends it.

A caller appends, and waits for nothing. Every lock that a caller takes is reentrant and `SimpleQueue.put` is, too, so that a
signal handler or a finalizer may report in the middle of another report.
"""

import logging
import math
import os
import threading
from collections.abc import Callable
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
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._queued = self._bytes = self._sent = 0
        self._abandoned = 0
        """Of those counted as unsent, the ones that are in a request, of which the outcome is not known yet."""
        self._dropped: dict[str, int] = {}
        self._logged: dict[str, int] = {}
        self._warned_at: float | None = None
        self._is_closed = is_closed
        self._sender = self._new_sender()

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
            self._count_dropped(DropReason.INVALID)
            return
        with self._lock:
            if self._is_closed:
                self._count_dropped(DropReason.CLOSED)
            elif self._queued >= self._options.items or self._bytes + item.size > self._options.size:
                self._count_dropped(DropReason.FULL)
            else:
                self._queued += 1
                self._bytes += item.size
                self._items.put(item)
                if self._thread is None:
                    self._start()

    def count_invalid(self) -> None:
        """Count something that could not even be queued."""
        self._count_dropped(DropReason.INVALID)

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

    def end(self, started: float) -> None:
        """Send what is queued before the process ends, or the client is closed; count the rest as unsent, and log the totals.

        Args:
            started: when the end began, by the clock.
        """
        failure = "" if self._flush_at_end(started) else self._abandon()
        self._log_totals(failure)

    def close(self) -> None:
        """Accept nothing more, and end."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self.end(self._clock())
        self._server.disconnect()

    def disconnect(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._server.disconnect()

    def _new_sender(self) -> BatchSender:
        sender = BatchSender(self._server.send, self._settle_sent, self._settle_dropped, self._clock)
        if self._is_closed:
            sender.stop()
        return sender

    def _flush_at_end(self, started: float) -> bool:
        """Return whether everything is sent or dropped.

        A server without any answer is waited for until the deadline. One that answers is waited for as long as it does, up to
        `END_LIMIT` seconds: it may be starting, or have requested a pause.
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

    def _abandon(self) -> str:
        """Count what is queued as unsent, and return why the last request failed.

        Nothing is tried again. A request in flight corrects the counts where it ends well.
        """
        waiting: list[threading.Event] = []
        with self._lock:
            sender, self._sender = self._sender, self._new_sender()
            sender.stop()
            self._abandoned += self._queued
            if self._queued:
                self._dropped[DropReason.UNSENT.value] = self._dropped.get(DropReason.UNSENT.value, 0) + self._queued
            self._queued = 0
            while True:
                try:
                    item = self._items.get_nowait()
                except Empty:
                    break
                if isinstance(item, threading.Event):
                    waiting.append(item)
                else:
                    self._abandoned -= 1
                    self._bytes -= item.size
        for event in waiting:
            event.set()
        return sender.failure

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
                        self._log_totals()
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
        sender = self._sender
        bodies: dict[str, list[bytes]] = {path: [] for path in PATHS}
        for item in batch:
            try:
                bodies[item.path].append(encode_item(item, contents=self._options.contents))
            except Exception:  # of any type: the values are the application's own
                self._settle_dropped(DropReason.INVALID, 1)
        try:
            for path, encoded in bodies.items():
                sender.send(path, encoded, until)
        finally:
            with self._lock:
                self._bytes -= sum(item.size for item in batch)

    def _settle_sent(self, number: int) -> None:
        with self._lock:
            self._settle(number)
            self._sent += number

    def _settle_dropped(self, reason: DropReason, number: int, detail: str = "") -> None:
        with self._lock:
            self._settle(number)
            self._count_dropped(reason, number, detail)

    def _settle(self, number: int) -> None:
        """Take so many from the queue; those first that were in a request when everything was counted as unsent."""
        abandoned = min(number, self._abandoned)
        self._abandoned -= abandoned
        self._queued -= number - abandoned
        if abandoned:
            unsent = self._dropped.pop(DropReason.UNSENT.value, 0) - abandoned
            if unsent:
                self._dropped[DropReason.UNSENT.value] = unsent

    def _count_dropped(self, reason: DropReason, number: int = 1, detail: str = "") -> None:
        """Count what is dropped, and warn of it once a minute at most; the end of the process logs the rest."""
        with self._lock:
            self._dropped[reason.value] = self._dropped.get(reason.value, 0) + number
            now = self._clock()
            is_due = self._warned_at is None or now - self._warned_at >= WARNING_SECONDS
            if self._dropped == self._logged:
                return
            if not is_due:
                exit_flush.add(self)
                return
        self._warn(f" ({detail})" if detail else "")

    def _log_totals(self, failure: str = "") -> None:
        """Log what was dropped in all, unless the last line has it; then the end of the process has nothing more to do."""
        with self._lock:
            is_logged = self._dropped == self._logged
        if not is_logged:
            self._warn(f" in all ({failure})" if failure else " in all")
        exit_flush.discard(self)

    def _warn(self, suffix: str) -> None:
        with self._lock:
            self._logged, self._warned_at = dict(self._dropped), self._clock()
        text = ", ".join(f"{count} {name}" for name, count in self._logged.items())
        log.warning("calls or feedback were not reported: %s%s; see client.traffic", text, suffix)


def new_id() -> str:
    """Return an id for a call or feedback."""
    return os.urandom(16).hex()
