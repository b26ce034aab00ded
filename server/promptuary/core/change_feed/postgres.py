"""The change feed on PostgreSQL: a thread listens on a connection of its own, and polls in case a notification was missed."""

import selectors
import socket
import time
from typing import Any

from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.revisions import CHANNEL, ProjectRevisions
from promptuary.core.database import Database

POLL_SECONDS = 1.0
RETRY_SECONDS = (0.1, 1.0)
FEED_SECONDS = 4.0
"""How long the server may take for the feed's own statement, which reads a row a project."""


class PostgresChangeFeed(ChangeFeed):
    """Listens for notifications, and reads the revisions of all projects once a second."""

    def __init__(self, database: Database, query: str) -> None:
        """Keep the address of the database and the query."""
        super().__init__(query)
        self.poll_seconds = POLL_SECONDS
        self._database = database
        self._dialect: Any = database.engine.dialect
        self._url = database.engine.url
        self._interrupted, self._interrupter = socket.socketpair()
        self._has_listened = False

    def revisions(self, project: int) -> ProjectRevisions | None:
        """Return a project's revisions; None before the first listening, for what was observed until then may be outdated."""
        if self._watcher is None:
            with self._lock:
                self._start_thread(self._watch)
        return self._known.get(project) if self._has_listened else None

    def _start_watching(self) -> None:
        self._start_thread(self._watch)

    def _interrupt(self) -> None:
        self._interrupter.send(b"!")

    def _release(self) -> None:
        self._interrupted.close()
        self._interrupter.close()

    def _watch(self) -> None:
        """Listen until the feed is closed; reconnect with growing pauses when the connection breaks."""
        first_pause, longest_pause = RETRY_SECONDS
        pause = first_pause
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    pause = first_pause
                    self._listen(connection)
            except self._dialect.dbapi.Error as error:
                self._report_disconnected(error)
                self._closed.wait(pause)
                pause = min(2 * pause, longest_pause)

    def _connect(self) -> Any:
        """Connect as the pool does; a server that stands still or has vanished is an error after a few seconds."""
        from promptuary.core.postgres.connection import TimedConnection, Timeouts

        arguments, options = self._dialect.create_connect_args(self._url)
        timeouts = Timeouts(min(self._database.statement_seconds, FEED_SECONDS))
        return TimedConnection.open(timeouts, self._database.outage.report, arguments, {**options, "autocommit": True})

    def _listen(self, connection: Any) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(connection.fileno(), selectors.EVENT_READ)
            ready.register(self._interrupted, selectors.EVENT_READ)
            while not self._closed.is_set():
                for project, *revisions in connection.execute(self._query):
                    self.observe(project, ProjectRevisions(*revisions))
                self._has_listened = True
                self._report_connected()
                self._observe_notifications(connection, ready)

    def _observe_notifications(self, connection: Any, ready: selectors.BaseSelector) -> None:
        """Receive notifications until the next poll is due; those that came with the poll's response are there already."""
        due = time.monotonic() + self.poll_seconds
        while not self._closed.is_set():
            for notification in connection.notifies(timeout=0):
                project, *revisions = map(int, notification.payload.split())
                self.observe(project, ProjectRevisions(*revisions))
            remaining = due - time.monotonic()
            if remaining <= 0:
                return
            ready.select(remaining)
