"""A run's items done by workers of a Ray cluster; what is written, and what it says, stays where it is. The only room of Ray.

Each worker builds what it takes to do items, as this process would, from the settings and the run. Chunks of items go out,
results come back, and this process, which holds the run's lease, writes them: one result an item, whoever did it. A worker
that dies is started again and does its chunk anew.
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
from promptuary.evaluation.plan import CaseResult, WorkItem
from promptuary.evaluation.runs.store import Run

CHUNK_SIZE = 64
CHUNKS_PER_WORKER = 2  # so that none waits for its next
MAX_RESTARTS = 3
POLL_SECONDS = 0.5
_CONNECTING = threading.Lock()


class ItemRunner(Protocol):
    """Does items; `Runner` is one."""

    def run(self, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Give results in batches as they come."""


Build = Callable[[Settings, Run, int], AbstractContextManager[ItemRunner]]


@dataclass(frozen=True)
class RayRunner:
    """Spreads a run's items over the cluster that the settings name, or over this machine's processors.

    Attributes:
        settings: the cluster's address; each worker is given them whole, so that it finds the database.
        build: a function of a module, which workers import: what does a run's items there, with that part of its concurrency
            which the number says.
    """

    settings: Settings
    build: Build

    async def run(self, run: Run, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Do items on the cluster; gives their results in batches as they come, and an empty one at least every half second.

        Raises:
            Unavailable: when the cluster cannot be reached, or a worker died again and again.
        """
        ray = await asyncio.to_thread(_connect, self.settings)
        count = max(1, min(int(ray.cluster_resources().get("CPU", 1)), run.plan.concurrency))
        made = ray.remote(_RayWorker).options(
            num_cpus=1, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS, scheduling_strategy="SPREAD"
        )
        hands = [made.remote(self.build, self.settings, run, CHUNKS_PER_WORKER * count) for _ in range(count)]
        chunks = _chunks(items, max(1, min(CHUNK_SIZE, run.plan.concurrency // count * 4)))
        done: asyncio.Queue[list[CaseResult] | None] = asyncio.Queue(2 * count)

        async def lead(hand: Any) -> None:
            for chunk in chunks:
                await done.put(await hand.do.remote(chunk))

        leading = [asyncio.create_task(lead(hand)) for hand in hands * CHUNKS_PER_WORKER]

        async def all_led() -> None:
            try:
                await asyncio.gather(*leading)
            finally:
                await done.put(None)

        together = asyncio.create_task(all_led())
        try:
            while True:
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        batch = await done.get()
                except TimeoutError:
                    batch = []
                if batch is None:
                    break
                yield batch
            await together
        except ray.exceptions.RayError as error:
            words = next(iter(str(error).strip().splitlines()), "")
            raise Unavailable(f"a worker of the Ray cluster is lost: {type(error).__name__}: {words}") from error
        finally:
            for task in (together, *leading):
                task.cancel()
            await asyncio.gather(together, *leading, return_exceptions=True)
            for hand in hands:
                ray.kill(hand)


class _RayWorker:
    """A worker on the cluster: an actor of one event loop, for one run."""

    def __init__(self, build: Build, settings: Settings, run: Run, count: int) -> None:
        self._opened = build(settings, run, count)
        self._does = self._opened.__enter__()

    async def do(self, items: list[WorkItem]) -> list[CaseResult]:
        """Do a chunk."""
        return [result async for batch in self._does.run(items) for result in batch]


def _chunks(items: Iterable[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    todo = iter(items)
    while chunk := list(itertools.islice(todo, size)):
        yield chunk


def _connect(settings: Settings) -> Any:
    """Import Ray and join the cluster, once a process; without an address, one of this machine's processors is started.

    Raises:
        Unavailable: when Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise Unavailable("the executor ray needs the package ray: pip install 'promptuary[ray]'") from None
    with _CONNECTING:
        if not ray.is_initialized():
            own: dict[str, Any] = {} if settings.ray_address else {"include_dashboard": False}
            try:
                ray.init(
                    address=settings.ray_address or "local",
                    namespace="promptuary",
                    log_to_driver=False,
                    configure_logging=False,
                    logging_level=logging.ERROR,
                    **own,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                words = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise Unavailable(
                    f"the Ray cluster at {settings.ray_address or 'this machine'} does not answer: {words}"
                ) from None
    return ray
