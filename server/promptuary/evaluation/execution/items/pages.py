"""The items of a run in pages: while the items of one page run, the cached responses of the next are looked up, all at once.

So no worker waits for the database, and a slot of the model is not empty meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.models.calls import ModelClient

PAGE_LIMIT = 200
"""The most items in a page."""
ITEMS_AT_ONCE = 10
"""How many prompts are rendered before the items in flight have their turn."""
LookUp = Callable[[Sequence[WorkItem]], Awaitable[None]]
"""Looks up the cached responses of items that will run next; never raises."""


@dataclass(frozen=True)
class CacheLookUp:
    """Looks up the cached responses of a prompt's items."""

    target: PromptTarget
    client: ModelClient

    async def __call__(self, items: Sequence[WorkItem]) -> None:
        """Render the prompts of the items, and read what is cached for them."""
        requests = []
        for number, item in enumerate(items, 1):
            request = self.target.prepare(item.case, item.variant, item.repeat)
            if request is not None:
                requests.append(request)
            if number % ITEMS_AT_ONCE == 0:
                await asyncio.sleep(0)
        await self.client.look_up(requests)


async def look_up_nothing(items: Sequence[WorkItem]) -> None:
    """Return at once, for items whose responses are not cached."""


class ItemPages:
    """The items that the workers of one event loop take; at most two pages are read before they run."""

    def __init__(self, items: Iterable[WorkItem], look_up: LookUp, size: int) -> None:
        """Read nothing yet.

        Args:
            items: in their order.
            look_up: is called with each page before its items are taken.
            size: of a page, 1 or more; it is limited.
        """
        self._items, self._look_up = iter(items), look_up
        self._size = min(size, PAGE_LIMIT)
        self._page: deque[WorkItem] = deque()
        self._next: asyncio.Task[list[WorkItem]] | None = None
        self._loading = asyncio.Lock()

    async def take(self) -> WorkItem | None:
        """Return the next item; None after the last."""
        while not self._page:
            async with self._loading:
                if not self._page and not await self._load():
                    return None
        return self._page.popleft()

    async def close(self) -> None:
        """Stop looking up."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)

    async def _load(self) -> bool:
        """Replace the page by the next one, and begin with the one after it; return whether there is an item."""
        page = await (self._next or asyncio.create_task(self._read()))
        self._page.extend(page)
        self._next = asyncio.create_task(self._read())
        return bool(page)

    async def _read(self) -> list[WorkItem]:
        page = list(islice(self._items, self._size))
        if page:
            await self._look_up(page)
        return page
