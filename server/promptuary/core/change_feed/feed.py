"""The change feed of a process: each project's revisions as this process knows them, and who waits for the next one."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from promptuary.core.change_feed.revisions import PUBLISHED, ProjectRevisions

log = structlog.get_logger(__name__)
_UNKNOWN = ProjectRevisions(0, 0)


@dataclass(eq=False)
class Waiter:
    """A coroutine that waits for a project's revision to pass a number, or for its access revision to pass another."""

    project: int
    after: int
    loop: asyncio.AbstractEventLoop
    woken: "asyncio.Future[None]"
    access_after: int | None = None

    def is_due(self, revisions: ProjectRevisions) -> bool:
        """Return whether a project's revisions are what it waits for."""
        is_access_due = self.access_after is not None and revisions.access_revision > self.access_after
        return is_access_due or revisions.revision > self.after

    def wake(self) -> None:
        """Wake it, from any thread; its loop may have ended in the meantime."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class ChangeFeed(ABC):
    """Every project's revisions as far as this process can know them. Nothing is opened or started before the first call."""

    def __init__(self, query: str) -> None:
        """Keep the query.

        Args:
            query: selects the id and both revisions of every project; it has no condition.
        """
        self._query = query
        self._lock = threading.Lock()
        self._known: dict[int, ProjectRevisions] = {}
        self._waiters: set[Waiter] = set()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._is_disconnected = False

    @abstractmethod
    def revisions(self, project: int) -> ProjectRevisions | None:
        """Return a project's revisions at once, without waiting for a writer; None where nothing is known of it yet.

        While the database does not answer, they are the last known ones.
        """

    def observe(self, project: int, revisions: ProjectRevisions) -> None:
        """Take over revisions that were read in a transaction, or written in one that is committed by now."""
        with self._lock:
            known = self._known.get(project, revisions)
            self._known[project] = ProjectRevisions(*map(max, known, revisions))
        self._wake_waiters(project)

    def observe_commit(self, info: Mapping[Any, Any]) -> None:
        """Take over what a transaction of this process published; the database calls it after the commit."""
        for project, revisions in info.get(PUBLISHED, {}).items():
            self.observe(project, revisions)

    async def wait(self, project: int, after: int, timeout: float, access_after: int | None = None) -> int:
        """Wait until a project's revision is greater than `after`, for at most `timeout` seconds; return the revision then.

        With `access_after`, an access revision that is greater than that ends the wait, too.
        """
        loop = asyncio.get_running_loop()
        waiter = Waiter(project, after, loop, loop.create_future(), access_after)
        with self._lock:
            self._waiters.add(waiter)
            self._start_watching()
        try:
            self.revisions(project)
            if not waiter.is_due(self.last_known(project)) and not self._closed.is_set():
                await asyncio.wait([waiter.woken], timeout=timeout)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
            waiter.woken.cancel()
        self.revisions(project)
        return self.last_known(project).revision

    def last_known(self, project: int) -> ProjectRevisions:
        """Return a project's revisions as this process knows them, without asking the database; zeros before the first."""
        return self._known.get(project, _UNKNOWN)

    @property
    def closed(self) -> bool:
        """Whether the feed has ended, so that there is nothing to wait for."""
        return self._closed.is_set()

    def close(self) -> None:
        """End the watcher, wake every waiter, and close what is open; a second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        with self._lock:  # a thread that was starting a watcher has done so
            watcher = self._watcher
        self._interrupt()
        if watcher is not None:
            watcher.join()
        self._release()
        with self._lock:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()

    def _wake_waiters(self, project: int) -> None:
        """Wake those that wait for a revision which is known now."""
        with self._lock:
            known = self.last_known(project)
            due = [waiter for waiter in self._waiters if waiter.project == project and waiter.is_due(known)]
        for waiter in due:
            waiter.wake()

    def _start_thread(self, watch: Callable[[], None]) -> None:
        """Start the watcher, once; the caller has the lock."""
        if self._watcher is None and not self._closed.is_set():
            self._watcher = threading.Thread(target=watch, name="promptuary-changes", daemon=True)
            self._watcher.start()

    @abstractmethod
    def _start_watching(self) -> None:
        """Start watching, if that needs starting; the caller has the lock."""

    @abstractmethod
    def _interrupt(self) -> None:
        """Make the watcher notice at once that the feed is closed."""

    @abstractmethod
    def _release(self) -> None:
        """Close what is open, once the watcher has ended."""

    def _report_disconnected(self, error: Exception) -> None:
        if not self._is_disconnected and not self._closed.is_set():
            self._is_disconnected = True
            log.warning("the change feed is disconnected; lookups are answered from memory", error=str(error).strip())

    def _report_connected(self) -> None:
        if self._is_disconnected:
            self._is_disconnected = False
            log.warning("the change feed is connected again")
