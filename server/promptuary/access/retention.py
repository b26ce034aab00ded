"""Responses that are stored for retries are deleted after some days: a retry comes within minutes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from promptuary.access import store
from promptuary.core.clock import Clock
from promptuary.core.database import Database

PURGE_INTERVAL = timedelta(hours=1)
BATCH = 500


@dataclass
class ResponseRetention:
    """Deletes old stored responses, once an hour, in small transactions.

    Attributes:
        database: contains them.
        clock: returns the present time.
        days: how long a response is stored.
    """

    database: Database
    clock: Clock
    days: int
    _next: datetime | None = field(default=None, init=False)

    def step(self) -> bool:
        """Delete a batch where it is due; return whether more may be due."""
        now = self.clock()
        if self._next is not None and now < self._next:
            return False
        with self.database.write() as session:
            deleted = store.delete_responses(session, now - timedelta(days=self.days), BATCH)
        if deleted < BATCH:
            self._next = now + PURGE_INTERVAL
        return deleted == BATCH
