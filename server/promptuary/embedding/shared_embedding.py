"""Embeddings for the scorers of a run: the texts of all that wait are embedded in one call, which uses the model best."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXTS_LIMIT = 256
"""The most texts in one call, if no caller alone has more."""


@dataclass(frozen=True)
class _Waiting:
    """The texts of one caller."""

    texts: Sequence[str]
    rows: "asyncio.Future[Any]"


@dataclass
class SharedEmbedding:
    """Embeds texts in threads, one call at a time; what callers request meanwhile is embedded together by the next call.

    Attributes:
        embed: maps n texts to an n×d float array whose rows have unit length; may block.
    """

    embed: Callable[[Sequence[str]], Any]
    _queue: list[_Waiting] = field(default_factory=list)
    _task: "asyncio.Task[None] | None" = None

    async def __call__(self, texts: Sequence[str]) -> Any:
        """Return the rows of texts; raise what `embed` raises for them, whatever it raises for those of others."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(texts, loop.create_future())
        self._queue.append(waiting)
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._embed_all())
        return await waiting.rows

    async def _embed_all(self) -> None:
        await asyncio.sleep(0)  # callers that are ready in the same round of the loop share the first call
        while batch := self._next_batch():
            try:
                await self._embed_batch(batch)
            finally:
                for waiting in batch:  # cancelled: nobody sets them any more
                    waiting.rows.cancel()

    def _next_batch(self) -> list[_Waiting]:
        """Remove the first callers from the queue, as many as fit into a call."""
        batch: list[_Waiting] = []
        size = 0
        self._queue = [waiting for waiting in self._queue if not waiting.rows.done()]
        while self._queue and (not batch or size + len(self._queue[0].texts) <= TEXTS_LIMIT):
            batch.append(self._queue.pop(0))
            size += len(batch[-1].texts)
        return batch

    async def _embed_batch(self, batch: Sequence[_Waiting]) -> None:
        places = {text: place for place, text in enumerate(dict.fromkeys(text for waiting in batch for text in waiting.texts))}
        try:
            rows = await asyncio.to_thread(self.embed, list(places))
        except Exception as error:
            if len(batch) == 1:
                _set_error(batch[0], error)
                return
            for waiting in batch:  # a text of one caller is no error of the others
                await self._embed_batch([waiting])
            return
        for waiting in batch:
            if not waiting.rows.done():
                waiting.rows.set_result(rows[[places[text] for text in waiting.texts]])


def _set_error(waiting: _Waiting, error: Exception) -> None:
    if not waiting.rows.done():
        waiting.rows.set_exception(error)
