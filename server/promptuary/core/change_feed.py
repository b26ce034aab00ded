"""Tells a process that the database has changed, whoever changed it: one small question a lookup, one watcher for all who wait.

A project has counters that its writers count up in the transaction of the write. SQLite is asked each time:
`PRAGMA data_version` costs two microseconds, waits for no writer, and differs as soon as another connection has committed; only
then are counters read. PostgreSQL tells by NOTIFY, which a thread of the process listens to, and the process's own writes are
known to it before their answers leave; a poll each second finds what a broken connection has missed.
"""

import asyncio
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import text
from sqlmodel import Session

from promptuary.core.database import Database, sqlite_driver

log = structlog.get_logger(__name__)
CHANNEL = "promptuary"
SQLITE_POLL_SECONDS = 0.025
POSTGRES_POLL_SECONDS = 1.0
RETRY_SECONDS = (0.1, 1.0)
_PUBLISHED = "promptuary.announced"


class ProjectRevisions(NamedTuple):
    """How often a project has changed: what it holds, and who may come in."""

    revision: int
    access_revision: int


def publish_revisions(session: Session, project: int, counters: ProjectRevisions) -> None:
    """Let every process know of a project's new counters once the session's transaction is committed; never if it is not."""
    session.info.setdefault(_PUBLISHED, {})[project] = counters
    if session.connection().dialect.name == "postgresql":
        told = {"channel": CHANNEL, "payload": f"{project} {counters.revision} {counters.access_revision}"}
        session.connection().execute(text("SELECT pg_notify(:channel, :payload)"), told)


@dataclass(eq=False)
class _Waiter:
    """One who waits for a project's revision to pass a number."""

    project: int
    after: int
    loop: asyncio.AbstractEventLoop
    woken: "asyncio.Future[None]"

    def wake(self) -> None:
        """Wake it, from whatever thread; its loop may have ended in the meantime."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class ChangeFeed(ABC):
    """The counters as far as this process can know them. Nothing is opened or started before the first question."""

    def __init__(self, query: str) -> None:
        """Keep the query.

        Args:
            query: gives a project's number and its counters, for every project; ends without a condition.
        """
        self._query = query
        self._lock = threading.Lock()
        self._known: dict[int, ProjectRevisions] = {}
        self._waiting: set[_Waiter] = set()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._away = False

    @abstractmethod
    def now(self, project: int) -> ProjectRevisions | None:
        """Give a project's counters, at once and without waiting for anybody; None where nothing is known of it yet.

        Where the database does not answer, they are the last that were known.
        """

    def hear(self, project: int, counters: ProjectRevisions) -> None:
        """Take over counters that somebody has read in a transaction, or written in one that is committed by now."""
        with self._lock:
            known = self._known.get(project, counters)
            self._known[project] = ProjectRevisions(*map(max, known, counters))
        self._tell(project)

    async def wait(self, project: int, after: int, timeout: float) -> int:
        """Wait until a project's revision is past `after`, for `timeout` seconds at most; give the revision then."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(project, after, loop, loop.create_future())
        with self._lock:
            self._waiting.add(waiter)
            self._somebody_waits()
        try:
            if self._revision(project) <= after and not self._closed.is_set():
                await asyncio.wait([waiter.woken], timeout=timeout)
        finally:
            with self._lock:
                self._waiting.discard(waiter)
            waiter.woken.cancel()
        return self._revision(project)

    @property
    def closed(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._closed.is_set()

    def close(self) -> None:
        """End the watcher, wake everybody who waits, and close what is open; a second time does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        with self._lock:  # who is starting a watcher has done so
            watcher = self._watcher
        self._interrupt()
        if watcher is not None:
            watcher.join()
        self._release()
        with self._lock:
            waiting = list(self._waiting)
        for waiter in waiting:
            waiter.wake()

    def committed(self, info: Mapping[Any, Any]) -> None:
        """Hear what a transaction of this process announced; the database calls it after the commit."""
        for project, counters in info.get(_PUBLISHED, {}).items():
            self.hear(project, counters)

    def _revision(self, project: int) -> int:
        self.now(project)
        known = self._known.get(project)
        return known.revision if known else 0

    def _tell(self, project: int) -> None:
        """Wake those who waited for what is known now."""
        with self._lock:
            known = self._known.get(project)
            due = [one for one in self._waiting if one.project == project and known and known.revision > one.after]
        for waiter in due:
            waiter.wake()

    def _start(self, watch: Callable[[], None]) -> None:
        """Start the watcher, once; called with the lock."""
        if self._watcher is None and not self._closed.is_set():
            self._watcher = threading.Thread(target=watch, name="promptuary-changes", daemon=True)
            self._watcher.start()

    @abstractmethod
    def _somebody_waits(self) -> None:
        """Start watching, if that needs starting; called with the lock."""

    @abstractmethod
    def _interrupt(self) -> None:
        """Let the watcher see at once that it is to end."""

    @abstractmethod
    def _release(self) -> None:
        """Close what is open, once the watcher has ended."""

    def _lost(self, error: Exception) -> None:
        if not self._away and not self._closed.is_set():
            self._away = True
            log.warning("the database cannot be asked for changes; what memory holds is answered", error=str(error).strip())

    def _found(self) -> None:
        if self._away:
            self._away = False
            log.warning("the database can be asked for changes again")


class SqliteChangeFeed(ChangeFeed):
    """Asks `PRAGMA data_version` on a read-only connection of its own; a thread asks for those who wait, while any do."""

    def __init__(self, file: str, query: str) -> None:
        """Keep the file and the query."""
        super().__init__(query)
        self._driver = sqlite_driver()
        self._uri = f"{Path(file).absolute().as_uri()}?mode=ro"
        self._cursor: Any = None
        self._version: int | None = None
        self._asking = threading.Lock()
        self._read: set[int] = set()
        self._wanted = threading.Event()

    def now(self, project: int) -> ProjectRevisions | None:
        """See `ChangeFeed.now`. The counters are read after `data_version`, so they are never older than it says."""
        with self._asking:
            if self._closed.is_set():
                return self._known.get(project)
            try:
                cursor = self._cursor or self._open()
                (version,) = cursor.execute("PRAGMA data_version").fetchone()
                if version != self._version or self._away:
                    self._read.clear()
                    self._version = version
                    self._found()
                if project not in self._read:
                    row = cursor.execute(f"{self._query} WHERE id = ?", (project,)).fetchone()
                    if row is not None:
                        self._known[project] = ProjectRevisions(*row[1:])
                        self._read.add(project)
            except self._driver.Error as error:
                self._lost(error)
        return self._known.get(project)

    def hear(self, project: int, counters: ProjectRevisions) -> None:
        """Nothing is taken over: the database itself is asked each time."""

    def _release(self) -> None:
        with self._asking:
            if self._cursor is not None:
                self._cursor.connection.close()
                self._cursor = None

    def _open(self) -> Any:
        """Open the connection. It waits for no lock: a lookup is better answered from memory than late."""
        connection = self._driver.connect(
            self._uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=8
        )
        self._cursor = connection.cursor()
        return self._cursor

    def _somebody_waits(self) -> None:
        self._wanted.set()
        self._start(self._watch)

    def _interrupt(self) -> None:
        self._wanted.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._wanted.wait()
            with self._lock:
                projects = {waiter.project for waiter in self._waiting}
                if not projects and not self._closed.is_set():
                    self._wanted.clear()
            for project in projects:
                self.now(project)
                self._tell(project)
            self._closed.wait(SQLITE_POLL_SECONDS)


class PostgresChangeFeed(ChangeFeed):
    """Listens on a connection of its own in a thread, and reads all counters each second in case that something was missed."""

    def __init__(self, database: Database, query: str) -> None:
        """Keep the way to the database and the query."""
        super().__init__(query)
        self._dialect: Any = database.engine.dialect
        self._url = database.engine.url
        self._bell, self._ringer = socket.socketpair()
        self._listened = False

    def now(self, project: int) -> ProjectRevisions | None:
        """See `ChangeFeed.now`. What was heard before there was a listener may be out of date, so it is not told."""
        if self._watcher is None:
            with self._lock:
                self._start(self._watch)
        return self._known.get(project) if self._listened else None

    def _release(self) -> None:
        self._bell.close()
        self._ringer.close()

    def _somebody_waits(self) -> None:
        self._start(self._watch)

    def _interrupt(self) -> None:
        self._ringer.send(b"!")

    def _watch(self) -> None:
        """Listen until the end, and come back with longer and longer pauses when the connection breaks."""
        first, longest = RETRY_SECONDS
        pause = first
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    pause = first
                    self._listen(connection)
            except self._dialect.dbapi.Error as error:
                self._lost(error)
                self._closed.wait(pause)
                pause = min(2 * pause, longest)

    def _connect(self) -> Any:
        """Connect as the pool does; a server that has vanished without a word is given up after five seconds."""
        words, named = self._dialect.create_connect_args(self._url)
        patience = {"connect_timeout": 5, "keepalives_idle": 5, "tcp_user_timeout": 5000}
        return self._dialect.connect(*words, **{**patience, **named, "autocommit": True})

    def _listen(self, connection: Any) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(connection.fileno(), selectors.EVENT_READ)
            ready.register(self._bell, selectors.EVENT_READ)
            while not self._closed.is_set():
                for project, *counters in connection.execute(self._query):
                    self.hear(project, ProjectRevisions(*counters))
                self._listened = True
                self._found()
                self._take_in(connection, ready)

    def _take_in(self, connection: Any, ready: selectors.BaseSelector) -> None:
        """Hear what comes in until the next poll is due; what came with the poll's own answer is there already."""
        due = time.monotonic() + POSTGRES_POLL_SECONDS
        while not self._closed.is_set():
            for notice in connection.notifies(timeout=0):
                project, *counters = map(int, notice.payload.split())
                self.hear(project, ProjectRevisions(*counters))
            left = due - time.monotonic()
            if left <= 0:
                return
            ready.select(left)


def create_change_feed(database: Database, query: str) -> ChangeFeed:
    """Give what tells of a database's changes, and let it hear of this process's own commits."""
    if database.dialect == "postgresql":
        made: ChangeFeed = PostgresChangeFeed(database, query)
    else:
        made = SqliteChangeFeed(str(database.engine.url.database), query)
    database.after_commit.append(made.committed)
    return made
