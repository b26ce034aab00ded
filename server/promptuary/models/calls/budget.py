"""The cost budget of a run: no call is sent before its highest possible cost is reserved, so spending never passes the limit.

A process reserves money in the store first, in blocks. If the process is killed, its block stays reserved, and the next holder
of the lease counts the block as spent. The cost of a finished call moves from reserved to spent with the next results.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

BLOCKS = 64
"""A block is the cost limit divided by this number."""
MAX_POLLS = 5


class CostLimitReached(BaseException):
    """A call does not fit under the cost limit. It ends the work as a whole, so handlers of `Exception` do not catch it."""


@dataclass(frozen=True)
class Settlement:
    """Money that leaves the reservation of a process, in US dollars.

    Attributes:
        spent: what finished calls cost.
        released: what was reserved and is not needed.
    """

    spent: float = 0.0
    released: float = 0.0

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.spent or self.released)


class BudgetStore(Protocol):
    """Stores what a run has reserved and spent, for all processes that work on the run."""

    @property
    def shared(self) -> bool:
        """Whether other processes spend from the same limit at the same time."""

    async def reserve(self, amount: float) -> bool:
        """Reserve an amount; return False if it does not fit under the cost limit."""

    async def wait_for_others(self, settlement: Settlement) -> bool:
        """Write a settlement, then wait a moment for room that other processes may leave.

        Return False if no other process has a reservation, so that there is nothing to wait for.
        """


class UnlimitedStore:
    """The store of calls that belong to no run: it reserves every amount."""

    shared = False

    async def reserve(self, amount: float) -> bool:
        """Return True."""
        return True

    async def wait_for_others(self, settlement: Settlement) -> bool:
        """Return False: there is nothing to wait for."""
        return False


class CostBudget:
    """The budget that one process has of a run; for the tasks of one event loop.

    Attributes:
        limit: the highest cost of the run in US dollars; None for no limit.
        spent: the cost of the run's calls from its beginning, as far as this process knows.
        exhausted: whether a reservation was refused; all later ones are refused as well.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0, store: BudgetStore | None = None) -> None:
        """Start with nothing reserved.

        Args:
            limit: the highest cost of the run in US dollars.
            spent: what the run has spent before.
            store: shares the limit with other processes.
        """
        self.limit = limit
        self.spent = spent
        self.exhausted = False
        self._store = store or UnlimitedStore()
        self._reserved = 0.0  # in the store by this process: `_pending`, `_unwritten` and what is unused
        self._pending = 0.0  # the highest possible cost of the calls in flight
        self._calls = 0  # how many calls are in flight
        self._unwritten = 0.0  # the cost of finished calls that the store does not count as spent yet
        self._closed = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def reserve(self, amount: float) -> None:
        """Reserve the highest possible cost of a call, first come, first served.

        A reservation that does not fit waits while calls in flight may still leave room.

        Raises:
            CostLimitReached: if the amount cannot fit, or the budget is closed.
        """
        if self._closed:
            raise CostLimitReached
        if self.limit is None or amount <= 0:
            return
        async with self._turn:
            while self._shortfall(amount) > 0 and not self.exhausted and not self._closed:
                await self._make_room(amount)
            if self.exhausted or self._closed:
                raise CostLimitReached
            self._pending += amount
            self._calls += 1

    def commit(self, reserved: float, cost: float) -> None:
        """Record the cost of a call for which `reserved` was reserved."""
        self.spent += cost
        self._unwritten += cost
        if self.limit is not None and reserved > 0:
            self._calls -= 1
            self._pending = self._pending - reserved if self._calls else 0.0
            self._changed.set()

    def release(self, reserved: float) -> None:
        """Record that a call for which `reserved` was reserved cost nothing."""
        self.commit(reserved, 0.0)

    def take_settlement(self, *, unused: bool = False) -> Settlement:
        """Return what to write to the store; the caller must write it.

        Args:
            unused: whether to release what is reserved and neither pending nor spent.
        """
        spent, self._unwritten = self._unwritten, 0.0
        self._reserved = max(0.0, self._reserved - spent)
        released = max(0.0, self._reserved - self._pending) if unused else 0.0
        self._reserved -= released
        return Settlement(spent, released)

    def close(self) -> None:
        """Refuse every later reservation."""
        self._closed = True
        self._changed.set()

    def _shortfall(self, amount: float) -> float:
        """Compute how much more must be reserved in the store before a call of this amount may start."""
        return self._pending + self._unwritten + amount - self._reserved

    async def _make_room(self, amount: float) -> None:
        """Reserve more in the store, or wait for a call that leaves room; the caller computes the shortfall again."""
        self._changed.clear()
        if await self._reserve_block(self._shortfall(amount)) or self._changed.is_set():
            return  # while the store answered, calls may have finished: only the shortfall of now counts
        if self._calls:
            await self._changed.wait()
        else:
            self.exhausted = not await self._room_from_others(amount)

    async def _room_from_others(self, amount: float) -> bool:
        """Return whether to try again: other processes have reservations, or have just left enough."""
        if not self._store.shared:
            return False
        for _ in range(MAX_POLLS):  # both may change between two polls
            waited = await self._store.wait_for_others(self.take_settlement(unused=True))
            if waited or await self._reserve_block(self._shortfall(amount)):
                return True
        return False

    async def _reserve_block(self, shortfall: float) -> bool:
        """Reserve a block, or the shortfall alone if a block does not fit; return False if neither fits."""
        if shortfall <= 0:
            return True
        assert self.limit is not None
        block = max(shortfall, self.limit / BLOCKS)
        return await self._reserve_amount(block) or (block > shortfall and await self._reserve_amount(shortfall))

    async def _reserve_amount(self, amount: float) -> bool:
        reservation = asyncio.ensure_future(self._store.reserve(amount))
        reservation.add_done_callback(lambda done: self._add_reservation(done, amount))
        return await asyncio.shield(reservation)  # a cancelled caller must not lose the amount

    def _add_reservation(self, done: "asyncio.Future[bool]", amount: float) -> None:
        if not done.cancelled() and done.exception() is None and done.result():
            self._reserved += amount
            self._changed.set()
