"""The end of the process: what is queued is sent, within the clients' deadlines."""

import atexit
import os
import sys
import threading
import time
from typing import Protocol


class Flushable(Protocol):
    """A queue that is to be empty, and to have logged what it dropped, when the process ends."""

    def end(self, started: float) -> None:
        """Send what is queued, within the deadline, and log what is dropped; `started` is when that began, monotonic."""


_active: set[Flushable] = set()
_lock = threading.RLock()
_registered_in: int | None = None
"""The process that multiprocessing ends, in which the flush is registered."""


def add(queue: Flushable) -> None:
    """Flush a queue at the end of the process; it is kept until it is discarded."""
    with _lock:
        _active.add(queue)
    _flush_children()


def discard(queue: Flushable) -> None:
    """Remove a queue that has nothing to send or to log."""
    with _lock:
        _active.discard(queue)


def _flush_children() -> None:
    """Flush at the end of a process of multiprocessing, too: it ends without the handlers of atexit."""
    global _registered_in
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or _registered_in == os.getpid() or process.parent_process() is None:
        return
    _registered_in = os.getpid()
    util.Finalize(None, _flush_all, exitpriority=10)


def _flush_all() -> None:
    with _lock:
        queues = list(_active)
    started = time.monotonic()
    for queue in queues:
        queue.end(started)


def _after_fork() -> None:
    """Remove the parent's queues, in the child: the parent sends what is in them."""
    global _lock
    _lock = threading.RLock()
    _active.clear()


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
