"""How many requests may hold a database session at once. Who waits for a turn waits on the event loop, and holds nothing.

A request's session outlives the thread that opened it: its answer is written out, and the transaction committed, in other
threads of the same pool. If waiting for a lock or a connection could use all threads up, the one that everybody waits for could
not go on either. So fewer have turns than there are threads and connections; and on SQLite, where one writes at a time anyway,
writers come one after the other, in their order, instead of asking for the lock again and again.
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
    """The turns of one process: those of readers and those of writers, for each event loop that it has."""

    def __init__(self, dialect: str, patience: float = SLOT_TIMEOUT_SECONDS) -> None:
        """Take the kind of database, and how many seconds somebody waits for a turn."""
        self._limits = {False: READER_SLOTS, True: WRITER_SLOTS[dialect]}
        self._patience = patience
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, asyncio.Semaphore]] = WeakKeyDictionary()

    @asynccontextmanager
    async def turn(self, *, writing: bool) -> AsyncIterator[None]:
        """Hold a turn for as long as the block lasts.

        Raises:
            Busy: when none came up in time.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = {kind: asyncio.Semaphore(limit) for kind, limit in self._limits.items()}
        turns = self._loops[loop][writing]
        try:
            async with asyncio.timeout(self._patience):
                await turns.acquire()
        except TimeoutError:
            raise DatabaseBusy("too many requests wait for the database; try again") from None
        try:
            yield
        finally:
            turns.release()
