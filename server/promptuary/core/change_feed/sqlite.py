"""The change feed on SQLite: `PRAGMA data_version` on a read-only connection of its own."""

import threading
from pathlib import Path
from typing import Any

from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.revisions import ProjectRevisions
from promptuary.core.database import sqlite_driver

POLL_SECONDS = 0.025


class SqliteChangeFeed(ChangeFeed):
    """Checks the database at each call; a thread checks it for those that wait, while there are any."""

    def __init__(self, file: str, query: str) -> None:
        """Keep the file and the query."""
        super().__init__(query)
        self.poll_seconds = POLL_SECONDS
        self._driver = sqlite_driver()
        self._uri = f"{Path(file).absolute().as_uri()}?mode=ro"
        self._cursor: Any = None
        self._version: int | None = None
        self._cursor_lock = threading.Lock()
        self._read_projects: set[int] = set()
        self._has_waiters = threading.Event()

    def revisions(self, project: int) -> ProjectRevisions | None:
        """Return a project's revisions; they are read after `data_version`, so they are never older than it."""
        with self._cursor_lock:
            if self._closed.is_set():
                return self._known.get(project)
            try:
                cursor = self._cursor or self._open()
                (version,) = cursor.execute("PRAGMA data_version").fetchone()
                if version != self._version or self._is_disconnected:
                    self._read_projects.clear()
                    self._version = version
                    self._report_connected()
                if project not in self._read_projects:
                    row = cursor.execute(f"{self._query} WHERE id = ?", (project,)).fetchone()
                    if row is not None:
                        self._known[project] = ProjectRevisions(*row[1:])
                        self._read_projects.add(project)
            except self._driver.Error as error:
                self._report_disconnected(error)
        return self._known.get(project)

    def observe(self, project: int, revisions: ProjectRevisions) -> None:
        """Ignore the revisions: the database itself is checked at each call."""

    def _open(self) -> Any:
        """Open the connection. It waits for no lock: a lookup is better answered from memory than late."""
        connection = self._driver.connect(
            self._uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=8
        )
        self._cursor = connection.cursor()
        return self._cursor

    def _start_watching(self) -> None:
        self._has_waiters.set()
        self._start_thread(self._watch)

    def _interrupt(self) -> None:
        self._has_waiters.set()

    def _release(self) -> None:
        with self._cursor_lock:
            if self._cursor is not None:
                self._cursor.connection.close()
                self._cursor = None

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._has_waiters.wait()
            with self._lock:
                projects = {waiter.project for waiter in self._waiters}
                if not projects and not self._closed.is_set():
                    self._has_waiters.clear()
            for project in projects:
                self.revisions(project)
                self._wake_waiters(project)
            self._closed.wait(self.poll_seconds)
