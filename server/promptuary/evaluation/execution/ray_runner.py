"""The items of a run, run by the workers of a Ray cluster. The only module that imports Ray.

A worker builds what it needs from the settings and the run, as this process would. Chunks of items go out, results come back,
and this process, which has the run's lease, writes them: one result an item, whichever worker ran it. A worker that dies is
restarted and runs its chunk again.
"""

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs.store import Run

CHUNK_SIZE = 64
CHUNKS_PER_WORKER = 2  # so that no worker waits for its next chunk
MAX_RESTARTS = 3
POLL_SECONDS = 0.5
_CONNECTING = threading.Lock()
ChunkQueue = asyncio.Queue[list[CaseResult] | None]
"""The results of chunks as they come; None is the end."""


class ItemRunner(Protocol):
    """Runs items; `Runner` is one."""

    def run(self, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Yield results in batches as they come."""


OpenRunner = Callable[[Settings, Run, int], AbstractContextManager[ItemRunner]]


@dataclass(frozen=True)
class RayRunner:
    """Distributes the items of a run over the cluster that the settings name, or over the processors of this machine.

    Attributes:
        settings: the cluster's address; each worker gets all settings, so that it finds the database.
        open_runner: a function of a module that workers can import. It opens the runner of a run's items there, with one of so
            many equal parts of the run's concurrency.
    """

    settings: Settings
    open_runner: OpenRunner

    async def run(self, run: Run, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Run items on the cluster; yield their results in batches as they come, an empty one at least every half second.

        Raises:
            Unavailable: if the cluster cannot be reached, or a worker dies again and again.
        """
        ray = await asyncio.to_thread(_connect, self.settings)
        count = max(1, min(int(ray.cluster_resources().get("CPU", 1)), run.plan.concurrency))
        workers = self._start_workers(ray, run, count)
        chunks = _chunks(items, max(1, min(CHUNK_SIZE, run.plan.concurrency // count * 4)))
        results: ChunkQueue = asyncio.Queue(2 * count)
        feeders = [asyncio.create_task(_feed(worker, chunks, results)) for worker in workers * CHUNKS_PER_WORKER]
        finished = asyncio.create_task(_finish(feeders, results))
        try:
            while (batch := await _next_batch(results)) is not None:
                yield batch
            await finished
        except ray.exceptions.RayError as error:
            raise Unavailable(f"a worker of the Ray cluster is lost: {type(error).__name__}: {_first_line(error)}") from error
        finally:
            for task in (finished, *feeders):
                task.cancel()
            await asyncio.gather(finished, *feeders, return_exceptions=True)
            for worker in workers:
                ray.kill(worker)

    def _start_workers(self, ray: Any, run: Run, count: int) -> list[Any]:
        """Start actors, each with an equal part of the run's concurrency."""
        actor = ray.remote(_RayWorker).options(
            num_cpus=1, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS, scheduling_strategy="SPREAD"
        )
        return [actor.remote(self.open_runner, self.settings, run, CHUNKS_PER_WORKER * count) for _ in range(count)]


class _RayWorker:
    """A worker on the cluster: an actor with one event loop, for one run."""

    def __init__(self, open_runner: OpenRunner, settings: Settings, run: Run, share: int) -> None:
        self._opened = open_runner(settings, run, share)
        self._runner = self._opened.__enter__()

    async def run_chunk(self, items: list[WorkItem]) -> list[CaseResult]:
        """Run the items of a chunk, and return their results."""
        return [result async for batch in self._runner.run(items) for result in batch]


async def _feed(worker: Any, chunks: Iterator[list[WorkItem]], results: ChunkQueue) -> None:
    """Send a worker one chunk after another until none remains."""
    for chunk in chunks:
        await results.put(await worker.run_chunk.remote(chunk))


async def _finish(feeders: Iterable["asyncio.Task[None]"], results: ChunkQueue) -> None:
    """Wait for the feeders, and mark the end of the results; raise the error of a worker."""
    try:
        await asyncio.gather(*feeders)
    finally:
        await results.put(None)


async def _next_batch(results: ChunkQueue) -> list[CaseResult] | None:
    """Return the results of the next chunk, an empty list if none comes within `POLL_SECONDS`, or None at the end."""
    try:
        async with asyncio.timeout(POLL_SECONDS):
            return await results.get()
    except TimeoutError:
        return []


def _chunks(items: Iterable[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    remaining = iter(items)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _connect(settings: Settings) -> Any:
    """Import Ray and join the cluster, once a process; without an address, start one with the processors of this machine.

    Raises:
        Unavailable: if Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise Unavailable("the executor ray needs the package ray: pip install 'promptuary[ray]'") from None
    with _CONNECTING:
        if not ray.is_initialized():
            try:
                ray.init(
                    address=settings.ray_address or "local",
                    namespace="promptuary",
                    log_to_driver=False,
                    configure_logging=False,
                    logging_level=logging.ERROR,
                    include_dashboard=None if settings.ray_address else False,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = _first_line(error) or type(error).__name__
                raise Unavailable(
                    f"the Ray cluster at {settings.ray_address or 'this machine'} does not answer: {reason}"
                ) from None
    return ray
