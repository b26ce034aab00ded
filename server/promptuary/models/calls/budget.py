"""A run's money: nothing is asked before its worst case is reserved, so that what is spent never passes the ceiling.

What a process may spend is reserved in the database first, in blocks; a process that is killed leaves its block behind, and the
next holder of the lease counts it as spent. What is settled moves from reserved to spent with the next results.
"""

import asyncio
from collections.abc import Awaitable, Callable

BLOCKS = 64
MAX_POLLS = 5


class CostLimitReached(BaseException):
    """A call does not fit under the ceiling any more. No error of one item: it ends the work, past whatever catches errors."""


class CostBudget:
    """The money of one process's share in a run; for the tasks of one event loop.

    Attributes:
        ceiling: the most that the run may cost in US dollars; None for no ceiling.
        spent: what its calls cost, from its beginning on, as far as is known here.
        reached: whether a call was refused.
    """

    def __init__(
        self,
        ceiling: float | None,
        spent: float,
        take: Callable[[float], Awaitable[bool]],
        others: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Start with nothing reserved.

        Args:
            ceiling: the most that the run may cost.
            spent: what is spent already.
            take: reserves an amount in the database, or gives False where it does not fit under the ceiling any more.
            others: waits a little for what other processes on the run may leave, after giving back what is spare here; False
                where there is nothing to wait for. None where there are no others.
        """
        self.ceiling = ceiling
        self.spent = spent
        self.reached = False
        self._take = take
        self._others = others
        self._held = 0.0  # reserved in the database by this process: what is pending, what is unwritten, and the rest
        self._pending = 0.0  # the worst case of calls under way
        self._calls = 0  # how many of them there are
        self._unwritten = 0.0  # settled, but not yet written as spent
        self._closed = False
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()

    async def reserve(self, worst: float) -> None:
        """Reserve the worst case of a call, first come, first served; waits while calls under way may still leave room.

        Raises:
            CeilingReached: when it cannot fit, or the books are closed.
        """
        if self._closed:
            raise CostLimitReached
        if self.ceiling is None or worst <= 0:
            return
        async with self._turn:
            while not self.reached and (short := self._pending + self._unwritten + worst - self._held) > 0:
                if await self._more(short):
                    continue
                if not self._calls:
                    self.reached = not await self._left_by_others(worst)
                else:
                    self._settled.clear()
                    await self._settled.wait()
            if self.reached or self._closed:
                raise CostLimitReached
            self._pending += worst
            self._calls += 1

    def settle(self, worst: float, cost: float) -> None:
        """Say what a call for which `worst` was reserved did cost."""
        self.spent += cost
        self._unwritten += cost
        if self.ceiling is not None and worst > 0:
            self._calls -= 1
            self._pending = self._pending - worst if self._calls else 0.0
            self._settled.set()

    def due(self) -> float:
        """Give what is to be written as spent now, out of what is reserved; nobody else will write it."""
        amount, self._unwritten = self._unwritten, 0.0
        self._held = max(0.0, self._held - amount)
        return amount

    def spare(self) -> float:
        """Give what is reserved over what is under way and not written; nobody else will give it back."""
        amount = max(0.0, self._held - self._pending - self._unwritten)
        self._held -= amount
        return amount

    def rest(self) -> float:
        """Close the books, and give what is reserved and not used; after the last `due`, when nothing is under way."""
        self._closed = True
        amount, self._held = self._held, 0.0
        return amount

    async def _left_by_others(self, worst: float) -> bool:
        """Tell whether to look again: others hold something, or have just left enough; both may change between two looks."""
        for _ in range(MAX_POLLS if self._others else 0):
            assert self._others is not None
            if await self._others() or await self._more(worst):
                return True
        return False

    async def _more(self, short: float) -> bool:
        """Reserve a block, or the little that is short where a block is too much; False where even that does not fit."""
        assert self.ceiling is not None
        block = max(short, self.ceiling / BLOCKS)
        return await self._taken(block) or (block > short and await self._taken(short))

    async def _taken(self, amount: float) -> bool:
        taking = asyncio.ensure_future(self._take(amount))
        taking.add_done_callback(lambda done: self._add(done, amount))
        return await asyncio.shield(taking)  # who is cancelled meanwhile must not lose count of it

    def _add(self, done: "asyncio.Future[bool]", amount: float) -> None:
        if not done.cancelled() and done.exception() is None and done.result():
            self._held += amount
