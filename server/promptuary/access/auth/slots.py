"""How many requests may have a database session at once. A request waits for its slot on the event loop, without a thread.

A request's session outlives the thread that opened it: other threads of the same pool encode the response and commit the
transaction. If requests that wait for a lock or a connection could occupy every thread, the request that they all wait for
could not finish. So there are fewer slots than threads and connections. On SQLite, which has one writer at a time, writers
get the only slot in the order of their arrival, and do not poll for the lock.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from promptuary.core.errors import DatabaseBusy

READER_SLOTS = 24
WRITER_SLOTS = {"sqlite": 1, "postgresql": 8}
SLOT_TIMEOUT_SECONDS = 10.0


class DatabaseSlots:
    """The slots of one process: some for readers and some for writers, for each of its event loops."""

    def __init__(self, dialect: str, timeout: float | None = None) -> None:
        """Set the number of slots by the database's dialect, and how many seconds a request waits for one (10 by default)."""
        self._limits = {False: READER_SLOTS, True: WRITER_SLOTS[dialect]}
        self._timeout = SLOT_TIMEOUT_SECONDS if timeout is None else timeout
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, asyncio.Semaphore]] = WeakKeyDictionary()

    @asynccontextmanager
    async def acquire(self, *, writing: bool) -> AsyncIterator[None]:
        """Reserve a slot until the block ends.

        Raises:
            DatabaseBusy: when no slot becomes free in time.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = {is_writer: asyncio.Semaphore(limit) for is_writer, limit in self._limits.items()}
        slots = self._loops[loop][writing]
        try:
            async with asyncio.timeout(self._timeout):
                await slots.acquire()
        except TimeoutError:
            raise DatabaseBusy("too many requests wait for the database; try again") from None
        try:
            yield
        finally:
            slots.release()
