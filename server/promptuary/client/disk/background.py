"""Disk work in its own threads, so that a disk that hangs delays no caller beyond its deadline, nor the end of the process."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from promptuary.client.disk.disk_cache import DiskCache
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import DiskCopy, ReadDiskStep
from promptuary.client.transport.wire import FetchOutcome
from promptuary.client.versions.selector import Selector

TASK_LIMIT = 16
"""Tasks at a time. Where so many hang, the disk is not asked any more until one has ended."""
T = TypeVar("T")


class BackgroundDisk:
    """A disk cache whose reads and writes are futures. The threads are daemons: none keeps the process alive."""

    def __init__(self, cache: DiskCache) -> None:
        """Read and write through the cache."""
        self.cache = cache
        self._tasks = threading.BoundedSemaphore(TASK_LIMIT)

    def after_fork(self) -> None:
        """Replace the locks, and forget the tasks of the parent's threads."""
        self.cache.after_fork()
        self._tasks = threading.BoundedSemaphore(TASK_LIMIT)

    def read(self, selector: Selector) -> "Future[DiskCopy | None]":
        """Start to read the copy for a selector."""
        return self._start(partial(self.cache.read, selector), None)

    def store(self, fetch: PendingFetch, outcome: FetchOutcome, is_superseded: Callable[[], bool]) -> "Future[bool]":
        """Start to store what a request brought; see `DiskCache.store`."""
        return self._start(partial(self.cache.store, fetch, outcome, is_superseded), True)

    def _start(self, work: Callable[[], T], otherwise: T) -> "Future[T]":
        """Start the work; the result is `otherwise` where it cannot be started, or fails."""
        future: Future[T] = Future()
        tasks = self._tasks

        def run() -> None:
            try:
                result = work()
            except Exception:  # a copy is never worth an error
                result = otherwise
            finally:
                tasks.release()
            future.set_result(result)

        if not tasks.acquire(blocking=False):
            future.set_result(otherwise)
            return future
        try:
            threading.Thread(target=run, name="promptuary-disk", daemon=True).start()
        except RuntimeError:  # no thread can be started
            tasks.release()
            future.set_result(otherwise)
        return future


class DiskRead:
    """The reading of a copy for one lookup, which may begin before the lookup needs it."""

    def __init__(self, disk: BackgroundDisk | None) -> None:
        """Read from a disk; None where the client uses none."""
        self._disk = disk
        self.future: Future[DiskCopy | None] | None = None

    def start(self, selector: Selector) -> None:
        """Begin to read, unless that has begun."""
        if self.future is None and self._disk is not None:
            self.future = self._disk.read(selector)

    def wait(self, step: ReadDiskStep) -> DiskCopy | None:
        """Return the copy; None where there is none in time."""
        self.start(step.selector)
        try:
            return None if self.future is None else self.future.result(step.seconds)
        except TimeoutError:
            return None
