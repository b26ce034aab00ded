"""The change feed on PostgreSQL: a thread listens on a connection of its own, and polls in case a notification was missed."""

import selectors
import socket
import time
from typing import Any

from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.listeners import CONFIRM, FORGET, JOIN, LEASE_SECONDS
from promptuary.core.change_feed.revisions import CHANNEL, ProjectRevisions
from promptuary.core.database import Database

POLL_SECONDS = 1.0
RETRY_SECONDS = (0.1, 1.0)
FEED_SECONDS = 2.0
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
        self._confirmed: dict[int, ProjectRevisions] = {}
        self._confirmed_at = 0.0

    def revisions(self, project: int) -> ProjectRevisions | None:
        """Return a project's revisions; None where they may be outdated: before the first listening, and after a long pause.

        While the database does not answer, they are the last known ones.
        """
        if self._watcher is None:
            with self._lock:
                self._start_thread(self._watch)
        if not self._has_listened or (self._is_outdated() and not self._is_disconnected):
            return None
        return self._known.get(project)

    def _is_outdated(self) -> bool:
        """Return whether this process may have missed a change: writers do not wait for it any longer."""
        return time.monotonic() - self._confirmed_at > LEASE_SECONDS

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
            began_at = time.monotonic()
            try:
                with self._connect() as connection:
                    self._join(connection)
                    pause = first_pause
                    self._listen(connection)
            except self._dialect.dbapi.Error as error:
                has_listened = self._confirmed_at >= began_at
                if not (has_listened and self._is_outdated()):  # else this process stood still, and the database may answer
                    self._report_disconnected(error)
                self._closed.wait(pause)
                pause = min(2 * pause, longest_pause)

    def _connect(self) -> Any:
        """Connect as the pool does; a server that stands still or has vanished is an error after a few seconds."""
        from promptuary.core.postgres.connection import TimedConnection, Timeouts

        arguments, options = self._dialect.create_connect_args(self._url)
        timeouts = Timeouts(min(self._database.statement_seconds, FEED_SECONDS))
        return TimedConnection.open(timeouts, None, arguments, {**options, "autocommit": True})

    def _join(self, connection: Any) -> None:
        """Join the listeners, for which writers wait."""
        self._confirmed = {}
        self._database.listener = connection.info.backend_pid
        for statement in ("SET synchronous_commit = off", FORGET, f"LISTEN {CHANNEL}", JOIN):
            connection.execute(statement)

    def _confirm(self, connection: Any) -> None:
        """Confirm the revisions that this process knows by now."""
        with self._lock:
            news = {project: known for project, known in self._known.items() if self._confirmed.get(project) != known}
        if news:
            columns = (
                list(news),
                [known.revision for known in news.values()],
                [known.access_revision for known in news.values()],
            )
            connection.execute(CONFIRM, columns)
            self._confirmed |= news

    def _listen(self, connection: Any) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(connection.fileno(), selectors.EVENT_READ)
            ready.register(self._interrupted, selectors.EVENT_READ)
            while not self._closed.is_set():
                began_at = time.monotonic()
                for project, *revisions in connection.execute(self._query):
                    self.observe(project, ProjectRevisions(*revisions))
                self._confirmed_at = began_at
                self._has_listened = True
                self._report_connected()
                self._confirm(connection)
                self._observe_notifications(connection, ready)

    def _observe_notifications(self, connection: Any, ready: selectors.BaseSelector) -> None:
        """Receive notifications until the next poll is due; those that came with the poll's response are there already."""
        due = time.monotonic() + self.poll_seconds
        while not self._closed.is_set():
            for notification in connection.notifies(timeout=0):
                project, *revisions = map(int, notification.payload.split())
                self.observe(project, ProjectRevisions(*revisions))
            self._confirm(connection)
            remaining = due - time.monotonic()
            if remaining <= 0:
                return
            ready.select(remaining)
