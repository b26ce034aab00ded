"""The stream of a project's events: whoever follows it hears of every change, in order, and can come back where it left.

However many follow, each event is read and written out once a process; a follower costs a task that sleeps.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from promptuary.access import store as access
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Database
from promptuary.core.errors import PromptuaryError, Unavailable
from promptuary.registry import label_store
from promptuary.registry.events import PromptEvent

log = structlog.get_logger(__name__)
ALIVE_SECONDS = 15.0
RETRY = b"retry: 1000\n\n"
ALIVE = b": alive\n\n"
REPLAY_LIMIT = 10_000
BATCH = 500
RECENT = 1000
PROJECTS = 100


@dataclass
class _Recent:
    """A project's newest events as they are sent, those after `start` and up to `end` without a gap."""

    start: int
    end: int
    lines: list[tuple[int, bytes]] = field(default_factory=list)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class EventStream:
    """One a process and event loop: what followers are told."""

    def __init__(self, database: Database, changes: ChangeFeed, limit: int) -> None:
        """Keep the parts, and how many may follow at a time."""
        self._database = database
        self._changes = changes
        self._limit = limit
        self._followers = 0
        self._recent: OrderedDict[int, _Recent] = OrderedDict()

    def admit(self) -> None:
        """Let one more follow.

        Raises:
            Unavailable: when too many do.
        """
        if self._followers >= self._limit:
            raise Unavailable(f"{self._limit} clients follow the stream already; poll with If-None-Match instead", 30)

    async def follow(self, project: int, after: int | None, check: Callable[[], object]) -> AsyncIterator[bytes]:
        """Give server-sent events until the process ends, the key does, or the reader goes.

        Args:
            project: whose events.
            after: the last revision that the reader has heard of; None for one that begins now.
            check: raises when the reader may no longer read; called in a thread, about every 15 seconds.
        """
        self._followers += 1
        try:
            now = await asyncio.to_thread(self._revision, project)
            resumed = after is None or now - REPLAY_LIMIT <= after <= now
            told = after if resumed and after is not None else now
            body = json.dumps({"revision": now, "resumed": resumed})
            yield RETRY + f"id: {told}\nevent: ready\ndata: {body}\n\n".encode()
            checked = asyncio.get_running_loop().time()
            while not self._changes.closed:
                revision = await self._changes.wait(project, told, ALIVE_SECONDS)
                due = asyncio.get_running_loop().time() - checked >= ALIVE_SECONDS
                if due:
                    await asyncio.to_thread(check)
                    checked = asyncio.get_running_loop().time()
                lines = await self._since(project, told, revision) if revision > told else []
                if lines:
                    told = lines[-1][0]
                    yield b"".join(line for _, line in lines)
                elif due:
                    yield ALIVE
        except PromptuaryError as error:  # the reader comes back, and is then told why not
            log.info("a stream ends", project=project, reason=error.code)
        finally:
            self._followers -= 1

    async def _since(self, project: int, after: int, revision: int) -> list[tuple[int, bytes]]:
        """Give the events after a revision, from memory where it has them all."""
        recent = self._recent.setdefault(project, _Recent(after, after))
        self._recent.move_to_end(project)
        if len(self._recent) > PROJECTS:
            self._recent.popitem(last=False)
        if after < recent.start:
            return await asyncio.to_thread(self._read, project, after)
        async with recent.reading:
            while recent.end < revision:
                lines = await asyncio.to_thread(self._read, project, recent.end)
                if not lines:
                    break
                recent.lines += lines
                recent.end = lines[-1][0]
        found = [line for line in recent.lines if line[0] > after]
        if len(recent.lines) > RECENT:
            recent.start = recent.lines[-RECENT - 1][0]
            del recent.lines[:-RECENT]
        return found

    def _revision(self, project: int) -> int:
        with self._database.read() as session:
            return access.read_revisions(session, project).revision

    def _read(self, project: int, after: int) -> list[tuple[int, bytes]]:
        with self._database.read() as session:
            return [(event.revision, _line(event)) for event in label_store.events(session, project, after, BATCH)]


def _line(event: PromptEvent) -> bytes:
    said = {name: value for name, value in event.detail.items() if name != "reason"}
    body = {"revision": event.revision, "prompt": event.prompt, "at": format_timestamp(event.at), **said}
    return f"id: {event.revision}\nevent: {event.kind}\ndata: {json.dumps(body)}\n\n".encode()
