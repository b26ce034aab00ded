"""A step of the worker that deletes contents and counters of production calls when their time is over."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.settings import Settings
from promptuary.traffic.retention import store
from promptuary.traffic.settings.store import load_project_traffic

INTERVAL = timedelta(hours=1)
REWRITE_INTERVAL = timedelta(days=1)
REWRITE_LIMIT = 256 * 1024 * 1024
"""SQLite's file is rewritten up to this size: writers wait meanwhile, about a second for each 100 MiB."""
BATCH = 500
_DAY = 24 * 3600


@dataclass
class TrafficRetention:
    """Deletes what was stored long enough, once an hour, in small transactions.

    Calls, feedback and scores go after the project's `days` since they came; counters after its `counter_days`, by whole days
    in UTC, each day with its hours. What is deleted is written over in SQLite's file, and leaves its write-ahead log. SQLite
    moves rows between pages, and a page can keep parts of a row that is elsewhere; therefore a file that is not too large is
    rewritten once a day.

    Attributes:
        database: contains them.
        clock: returns the present time.
        settings: of the service; projects may have their own.
        batch: the most rows of a kind and a project in one transaction.
    """

    database: Database
    clock: Clock
    settings: Settings
    batch: int = BATCH
    _next: datetime | None = field(default=None, init=False)
    _next_rewrite: datetime | None = field(default=None, init=False)
    _has_deleted: bool = field(default=False, init=False)

    def step(self) -> bool:
        """Delete a batch of each project where it is due; return whether more may be due."""
        now = self.clock()
        if self._next is not None and now < self._next:
            return False
        with self.database.read() as session:
            projects = store.list_projects(session)
        is_full = any([self._purge(project, now) for project in projects])
        if is_full:
            return True
        self._next = now + INTERVAL
        if projects:
            self._clean_files(now)
        return False

    def _clean_files(self, now: datetime) -> None:
        size = self.database.file_size()
        if self._next_rewrite is None:
            self._next_rewrite = now + INTERVAL
        if size is not None and size <= REWRITE_LIMIT and now >= self._next_rewrite:
            self.database.scrub()
            self._next_rewrite = now + REWRITE_INTERVAL
            self._has_deleted = False
        elif self._has_deleted:
            self._has_deleted = not self.database.empty_logs(store.ROW_MODELS)

    def _purge(self, project: int, now: datetime) -> bool:
        """Delete a batch of a project; return whether there may be more."""
        with self.database.write_over_deleted() as session:
            deleted = self._delete(session, project, now)
        self._has_deleted = self._has_deleted or any(deleted)
        return self.batch in deleted

    def _delete(self, session: Session, project: int, now: datetime) -> list[int]:
        settings = load_project_traffic(session, project, self.settings).settings
        contents_before = now - timedelta(days=settings.days)
        counters_before = int((now - timedelta(days=settings.counter_days)).timestamp())
        longest_before = min(counters_before, int(contents_before.timestamp()))
        return [
            store.delete_observations(session, project, contents_before, self.batch),
            store.delete_feedback(session, project, contents_before, self.batch),
            store.delete_days(session, project, counters_before // _DAY, self.batch),
            store.delete_reservoirs(session, project, longest_before // _DAY, self.batch),
            store.delete_series(session, project, self.batch),
        ]
