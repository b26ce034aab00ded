"""The stream of a project's events: a follower receives every change, in order, and can resume where it stopped.

However many clients follow, a process reads and encodes each event once; a follower costs one waiting task.

A follower is sent no event that was committed after its key or session ended. Every change of keys, sessions, people and roles
counts the project's access revision in its transaction, and a follower waits for that, too. Where it has changed, the follower
is checked again before the next event, and only events up to the revision that was known before the check are sent.
"""

import asyncio
import json
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from promptuary.access import store as access_store
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.revisions import ProjectRevisions
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Database
from promptuary.core.errors import PromptuaryError, Unavailable
from promptuary.registry.events import event_store
from promptuary.registry.events.event import PromptEvent

log = structlog.get_logger(__name__)
KEEP_ALIVE_SECONDS = 15.0
RETRY = b"retry: 1000\n\n"
KEEP_ALIVE = b": alive\n\n"
REPLAY_LIMIT = 10_000
BATCH = 500
RECENT_EVENTS = 1000
RECENT_PROJECTS = 100

EncodedEvent = tuple[int, bytes]
"""An event's revision, and the event as it is sent."""


@dataclass
class _RecentEvents:
    """A project's newest events as they are sent: those after `start` and up to `end`, without a gap."""

    start: int
    end: int
    events: list[EncodedEvent] = field(default_factory=list)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def trim(self) -> None:
        """Keep the newest `RECENT_EVENTS` events."""
        if len(self.events) > RECENT_EVENTS:
            self.start = self.events[-RECENT_EVENTS - 1][0]
            del self.events[:-RECENT_EVENTS]


class EventStream:
    """One per process and event loop."""

    def __init__(self, database: Database, changes: ChangeFeed, limit: int) -> None:
        """Store the dependencies, and the maximum number of followers."""
        self._database = database
        self._changes = changes
        self._limit = limit
        self._followers = 0
        self._recent: OrderedDict[int, _RecentEvents] = OrderedDict()

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Count one more follower until the block ends.

        Raises:
            Unavailable: when there are too many.
        """
        if self._followers >= self._limit:
            raise Unavailable(f"{self._limit} clients follow the stream already; poll with If-None-Match instead", 30)
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def follow(
        self,
        project: int,
        after: int | None,
        check: Callable[[], object],
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events until the process stops, the key or session ends, or the client disconnects.

        Args:
            project: whose events.
            after: the last revision that the client has received; None for a client that begins now.
            check: raises when the client may no longer read; called in a thread, at once when somebody's access to the
                project has changed, and about every 15 seconds.
            seconds_left: returns how many seconds the client's key or session still lasts; infinity for one without an end.
        """
        try:
            revision, access_revision = await asyncio.to_thread(self._revisions, project)
            await asyncio.to_thread(check)  # after the revision was read: a change from now on is noticed by it
            resumed = after is None or revision - REPLAY_LIMIT <= after <= revision
            sent = after if resumed and after is not None else revision
            body = json.dumps({"revision": revision, "resumed": resumed})
            yield RETRY + f"id: {sent}\nevent: ready\ndata: {body}\n\n".encode()
            checked_at = asyncio.get_running_loop().time()
            while not self._changes.closed:
                timeout = min(KEEP_ALIVE_SECONDS, max(0.0, seconds_left()))
                await self._changes.wait(project, sent, timeout, access_revision)
                known = self._changes.last_known(project)
                is_old = asyncio.get_running_loop().time() - checked_at >= KEEP_ALIVE_SECONDS
                is_check_due = is_old or known.access_revision > access_revision or seconds_left() <= 0
                if is_check_due:
                    await asyncio.to_thread(check)
                    checked_at = asyncio.get_running_loop().time()
                    access_revision = max(access_revision, known.access_revision)
                newer = await self._events_after(project, sent, known.revision) if known.revision > sent else []
                events = [event for event in newer if event[0] <= known.revision]  # later ones may follow a revocation
                if events:
                    sent = events[-1][0]
                    yield b"".join(event for _, event in events)
                elif is_check_due:
                    yield KEEP_ALIVE
        except PromptuaryError as error:  # the client connects again, and then receives the reason
            log.info("a stream ends", project=project, reason=error.code)

    async def _events_after(self, project: int, after: int, revision: int) -> list[EncodedEvent]:
        """Return the events after a revision: from memory, or from the database where they are too old."""
        recent = self._recent.setdefault(project, _RecentEvents(after, after))
        self._recent.move_to_end(project)
        if len(self._recent) > RECENT_PROJECTS:
            self._recent.popitem(last=False)
        async with recent.reading:
            # Checked under the lock: another follower may have trimmed the events while this one waited.
            if after >= recent.start:
                await self._read_until(project, recent, revision)
                events = [event for event in recent.events if event[0] > after]
                recent.trim()
                return events
        return await asyncio.to_thread(self._read, project, after)

    async def _read_until(self, project: int, recent: _RecentEvents, revision: int) -> None:
        """Read the events up to a revision into memory; the caller has the lock."""
        while recent.end < revision:
            events = await asyncio.to_thread(self._read, project, recent.end)
            if not events:
                break
            recent.events += events
            recent.end = events[-1][0]

    def _revisions(self, project: int) -> ProjectRevisions:
        with self._database.read() as session:
            return access_store.read_revisions(session, project)

    def _read(self, project: int, after: int) -> list[EncodedEvent]:
        with self._database.read() as session:
            return [(event.revision, _encode(event)) for event in event_store.list_events(session, project, after, BATCH)]


def _encode(event: PromptEvent) -> bytes:
    """Encode an event as a server-sent event; the reason, which people write, is left out."""
    detail = {name: value for name, value in event.detail.items() if name != "reason"}
    body = {"revision": event.revision, "prompt": event.prompt, "at": format_timestamp(event.at), **detail}
    return f"id: {event.revision}\nevent: {event.kind}\ndata: {json.dumps(body)}\n\n".encode()
