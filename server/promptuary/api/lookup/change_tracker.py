"""Applies each project's changes to the response cache, before a lookup of the project is answered from it."""

import time
from collections.abc import Callable

import anyio
import structlog
from anyio import to_thread

from promptuary.api.lookup.reader import LookupReader
from promptuary.api.lookup.response_cache import ResponseCache
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.revisions import ProjectRevisions
from promptuary.core.errors import PromptuaryError, Unavailable

log = structlog.get_logger(__name__)
TIMEOUT_SECONDS = 1.0
PAUSE_SECONDS = 1.0


class ChangeTracker:
    """Reads what has changed, one read a project at a time; after a failure it pauses, and the cache stays as it is."""

    def __init__(
        self,
        change_feed: ChangeFeed,
        reader: LookupReader,
        responses: ResponseCache,
        threads: anyio.CapacityLimiter,
        on_cleared: Callable[[int], None],
    ) -> None:
        """Keep the services.

        Args:
            change_feed: observes the revisions that are read.
            reader: reads the changes.
            responses: what the changes are applied to.
            threads: the threads that may read.
            on_cleared: called with a project all of whose responses were dropped.
        """
        self._change_feed = change_feed
        self._reader = reader
        self._responses = responses
        self._threads = threads
        self._on_cleared = on_cleared
        self._in_progress: dict[int, anyio.Event] = {}
        self._paused_until = 0.0
        self.timeout_seconds = TIMEOUT_SECONDS
        self.monotonic: Callable[[], float] = time.monotonic

    def is_behind(self, project: int, revisions: ProjectRevisions) -> bool:
        """Return whether changes have to be applied first; False during the pause after a failure."""
        applied = self._responses.applied_revision(project)
        return applied not in (None, revisions.revision) and self.monotonic() >= self._paused_until

    async def catch_up(self, project: int, revisions: ProjectRevisions) -> None:
        """Apply the changes up to the revisions; if they cannot be read, keep the cache as it is for a while."""
        if not self.is_behind(project, revisions):
            return
        in_progress = self._in_progress.get(project)
        if in_progress is not None:
            await in_progress.wait()
            return
        done = self._in_progress[project] = anyio.Event()
        try:
            await self._apply_changes(project)
        except PromptuaryError as error:
            self._paused_until = self.monotonic() + PAUSE_SECONDS
            log.warning("changes cannot be read; lookups are answered from memory", error=error.message)
        finally:
            del self._in_progress[project]
            done.set()

    async def _apply_changes(self, project: int) -> None:
        since = self._responses.applied_revision(project) or 0
        with anyio.move_on_after(self.timeout_seconds):
            revisions, changed = await to_thread.run_sync(
                self._reader.changes, project, since, limiter=self._threads, abandon_on_cancel=True
            )
            self._change_feed.observe(project, revisions)
            self._responses.apply_changes(project, revisions.revision, changed)
            if changed is None:
                self._on_cleared(project)
            return
        raise Unavailable(f"no answer for {self.timeout_seconds:g} s")
