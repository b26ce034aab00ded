"""Reads the responses of a label for every prompt of a project, after the first lookup by that label.

Lookups that come meanwhile are read with the next batch, which takes a fraction of what a read of each takes: in the first
seconds of a process nearly every lookup is one that memory lacks.
"""

import asyncio
from dataclasses import dataclass, field

import anyio
import structlog
from anyio import to_thread

from promptuary.access.unit_of_work import Caller
from promptuary.api.lookup.reader import LookupReader
from promptuary.api.lookup.response_cache import ResponseCache

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Awaited:
    """The prompts that lookups wait for, and the end of the batch that they are read with."""

    names: set[str] = field(default_factory=set)
    read: anyio.Event = field(default_factory=anyio.Event)


class Prefetcher:
    """Fills at most half of the response cache, in one thread. It belongs to one event loop."""

    def __init__(self, reader: LookupReader, responses: ResponseCache) -> None:
        """Start nothing yet."""
        self._reader = reader
        self._responses = responses
        self._labels: set[tuple[int, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = anyio.CapacityLimiter(1)
        self._stopping = False
        self._awaited: dict[tuple[int, str], _Awaited] = {}

    @property
    def running(self) -> bool:
        """Whether a label is being read."""
        return bool(self._tasks)

    def start(self, caller: Caller, label: str) -> None:
        """Read a label's responses in the background, once a project and label."""
        if (caller.project, label) in self._labels or (caller.project, label) in self._awaited:
            return
        self._awaited[caller.project, label] = _Awaited()
        self._labels.add((caller.project, label))
        task = asyncio.create_task(self._read(caller, label))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait_for(self, project: int, label: str, name: str) -> bool:
        """Wait until a prompt was read with the next batch of a label; False at once where the label is not being read."""
        awaited = self._awaited.get((project, label))
        if awaited is None:
            return False
        awaited.names.add(name)
        await awaited.read.wait()
        return True

    def forget(self, project: int) -> None:
        """Allow the labels of a project to be read again: the cache has dropped its responses."""
        self._labels = {entry for entry in self._labels if entry[0] != project}

    async def join(self) -> None:
        """Wait until nothing is being read."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """End after the current batches, and wait for them."""
        self._stopping = True
        await self.join()

    async def _read(self, caller: Caller, label: str) -> None:
        project_label = (caller.project, label)
        awaited, after = self._awaited[project_label], None
        try:
            while self._responses.bytes < self._responses.limit / 2 and not self._stopping:
                awaited, self._awaited[project_label] = self._awaited[project_label], _Awaited()
                batch = await to_thread.run_sync(
                    self._reader.read_label, caller, label, after, awaited.names, limiter=self._thread
                )
                for entry in batch.entries:
                    self._responses.put(entry)
                awaited.read.set()
                if batch.last is None:
                    return
                after = batch.last
        except Exception as error:  # of any kind: without prefetching, lookups are read one by one
            log.warning("responses are not prefetched, only read one by one", label=label, error=str(error))
        finally:
            awaited.read.set()
            self._awaited.pop(project_label).read.set()  # who waits reads the prompt itself
