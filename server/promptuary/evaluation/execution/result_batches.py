"""The results that the workers of a run leave, in batches: who collects them is woken for a batch and not for each result."""

import asyncio

from promptuary.evaluation.plan import CaseResult

FIRST_BATCH, MAX_BATCH = 20, 320
BATCH_SECONDS = 0.5
MAX_WAITING_RESULTS = 2 * MAX_BATCH


class ResultBatches:
    """Results of the tasks of one event loop, in the order in which they came."""

    def __init__(self) -> None:
        """Start without a result; the first batches are small."""
        self._results: list[CaseResult] = []
        self._limit = FIRST_BATCH
        self._ended = False
        self._ready, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, result: CaseResult) -> None:
        """Add a result; wait while too many wait to be collected."""
        while len(self._results) >= MAX_WAITING_RESULTS:
            self._room.clear()
            await self._room.wait()
        self._results.append(result)
        if len(self._results) >= self._limit:
            self._ready.set()

    def end(self) -> None:
        """Mark the end of the results."""
        self._ended = True
        self._ready.set()

    async def collect(self) -> tuple[list[CaseResult], bool]:
        """Return the results that come until a batch is full or `BATCH_SECONDS` are over, and whether more can come.

        A batch may be twice as large as the one before it, if that was full.
        """
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            pass
        batch = self._results[: self._limit]
        del self._results[: self._limit]
        self._room.set()
        if len(batch) == self._limit:
            self._limit = min(MAX_BATCH, 2 * self._limit)
        if len(self._results) < self._limit and not self._ended:
            self._ready.clear()
        return batch, not self._ended or bool(self._results)
