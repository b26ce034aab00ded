"""The engine and the unit of work: one transaction, committed at the end or not at all. Application code never commits.

SQLite runs in WAL mode with `synchronous=FULL`. A writer takes the lock when its transaction begins (`BEGIN IMMEDIATE`), so
that it never fails half-way for the lock. Python's own SQLite can be old, and versions before 3.51.3 can corrupt a WAL that
is reset: the `pysqlite3` wheel is used where it is installed.

On PostgreSQL every wait has a limit (`core.postgres`): for a connection, for a lock, for a statement, and for the answer of a
server that stands still.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, Table, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session as Session  # services name the type from here
from sqlmodel import SQLModel

from promptuary.core.errors import Conflict, DatabaseBusy, FieldError, StorageFull, Unavailable
from promptuary.core.postgres.outage import ServerOutage
from promptuary.core.settings import InvalidSettings

BUSY_MILLISECONDS = 10_000
POOL_TIMEOUT_SECONDS = 10
STATEMENT_SECONDS = 4.0
CONFIRMATION = "promptuary.confirmation"
"""The key of a session's info under which a function is that a write calls, with its database, when it is committed."""
MAX_CONNECTIONS = 40
POOLED_CONNECTIONS = 10
_TIMEOUT_STATES = ("55P03", "57014")  # PostgreSQL's lock_timeout and statement_timeout
_STATEMENT_ERRORS = (
    "no such table",
    "no such column",
    "already exists",
    "syntax error",
)  # SQLite reports these with the class of a lost database


class UtcDateTime(TypeDecorator[datetime]):
    """A column for a timestamp in UTC; both databases return it with its time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: for a timestamp without a time zone, which is a programming error.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Add the time zone, which SQLite does not store."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Database:
    """One database, SQLite or PostgreSQL, with reading and writing units of work."""

    def __init__(
        self,
        url: str,
        connections: int = MAX_CONNECTIONS,
        *,
        statement_seconds: float | None = None,
        outage: ServerOutage | None = None,
    ) -> None:
        """Create the engine; connect to nothing yet.

        Args:
            url: in SQLAlchemy's form; `postgres://` and `postgresql://` select the psycopg driver.
            connections: how many may be open at a time.
            statement_seconds: how long a statement may take on PostgreSQL; infinity for no limit.
            outage: what is known of the server, where several pools share it.

        Raises:
            InvalidSettings: when it is not a database URL, or its driver is not installed.
        """
        self.statement_seconds = STATEMENT_SECONDS if statement_seconds is None else statement_seconds
        self.engine = _engine(url, connections)
        self.after_commit: list[Callable[[Mapping[Any, Any]], None]] = []
        self.dialect = self.engine.dialect.name
        self.outage = outage or ServerOutage(self._probe)
        self._owns_outage = outage is None
        self.listener: int | None = None
        if self.dialect == "postgresql" and math.isfinite(self.statement_seconds):
            event.listen(self.engine, "do_connect", self._connect_with_timeouts)
        self._writing = self.engine.execution_options(writing=True)
        self._reading = self.engine
        if self.dialect == "postgresql":  # SQLite's deferred transaction sees one state by itself
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session that sees one state of the database throughout; its changes are refused or rolled back."""
        self.outage.check()
        with _translate_driver_errors(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session; commit its changes when the block ends, and none of them when it raises.

        The block has ended when every process that answers lookups from memory knows of the change.
        """
        self.outage.check()
        with _translate_driver_errors(), Session(self._writing, expire_on_commit=False) as session:
            with session.begin():
                yield session
            for observe in self.after_commit:
                observe(session.info)
            confirm = session.info.get(CONFIRMATION)
            if confirm is not None:
                confirm(self)

    @contextmanager
    def write_over_deleted(self) -> Iterator[Session]:
        """Yield a session as `write` does; SQLite writes zeros over what its statements delete.

        A page that SQLite gave up earlier, without this, keeps what it had until it is used again or `scrub` runs.
        """
        with self.write() as session:
            if self.dialect == "sqlite":
                session.connection().exec_driver_sql("PRAGMA secure_delete=ON")
            yield session
            if self.dialect == "sqlite":
                session.connection().exec_driver_sql("PRAGMA secure_delete=OFF")

    def empty_logs(self, models: Sequence[type[SQLModel]]) -> bool:
        """Remove deleted rows of some tables from SQLite's write-ahead log, or from PostgreSQL's tables; disturb nobody.

        Returns:
            Whether that was possible: SQLite's log stays while a reader uses it.
        """
        if self.dialect == "postgresql":
            tables = ", ".join(f'"{table_of(model).name}"' for model in models)
            with self.without_timeouts() as patient, patient.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"VACUUM {tables}")
            return True
        with _translate_driver_errors(), self.engine.connect() as connection:
            driver = connection.execution_options(isolation_level="AUTOCOMMIT").connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA busy_timeout=0")  # writers would wait for a checkpoint that waits for a reader
            try:
                is_busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        return not is_busy

    def file_size(self) -> int | None:
        """Return the bytes of SQLite's file; None on PostgreSQL and for a database in memory."""
        file = self.engine.url.database if self.dialect == "sqlite" else None
        return Path(file).stat().st_size if file and Path(file).exists() else None

    def scrub(self) -> None:
        """Remove what deleted and changed rows leave behind in the database's files, as far as the database can.

        SQLite rewrites its file without them and empties the write-ahead log. PostgreSQL vacuums its tables.

        Raises:
            DatabaseBusy, StorageFull, Unavailable: when that is not possible now.
        """
        if self.dialect == "postgresql":
            with self.without_timeouts() as patient, patient.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")
            return
        with _translate_driver_errors(), self.engine.connect() as connection:
            driver = connection.execution_options(isolation_level="AUTOCOMMIT").connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA secure_delete=ON")
            driver.execute("VACUUM")
            is_busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise DatabaseBusy("readers use the write-ahead log; it still contains old pages")

    def with_own_connections(self, connections: int) -> "Database":
        """Return the same database with a separate pool, for readers that must not wait for the connections of others."""
        return Database(self._url, connections, statement_seconds=self.statement_seconds, outage=self.outage)

    @contextmanager
    def without_timeouts(self) -> Iterator["Database"]:
        """Yield the same database for work that may take minutes, such as a migration; its connections close with the block."""
        patient = Database(self._url, 1, statement_seconds=math.inf, outage=self.outage)
        try:
            with _translate_driver_errors():
                yield patient
        finally:
            patient.dispose()

    def dispose(self) -> None:
        """Close every pooled connection."""
        if self._owns_outage:
            self.outage.close()
        self.engine.dispose()

    @property
    def _url(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)

    def _connect_with_timeouts(self, _dialect: Dialect, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Open a connection for the pool, in place of the driver's own way."""
        from promptuary.core.postgres.connection import TimedConnection, Timeouts

        self.outage.check()
        return TimedConnection.open(Timeouts(self.statement_seconds), self.outage.report, arguments, options)

    def _probe(self) -> None:
        """Connect to a PostgreSQL server, which must answer a statement at once."""
        from promptuary.core.postgres.connection import PROBE_TIMEOUTS, TimedConnection

        arguments, options = self.engine.dialect.create_connect_args(self.engine.url)
        TimedConnection.open(PROBE_TIMEOUTS, None, arguments, options).close()


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's table, for statements that are built once: building one each time takes longer than running it."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def _engine(url: str, connections: int) -> Engine:
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            url = "postgresql+psycopg://" + url.removeprefix(prefix)
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(url, parsed.database, _pool(connections))
        return create_engine(url, pool_pre_ping=True, **_pool(connections))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        problem = (
            f"the driver is not installed ({error})" if isinstance(error, ModuleNotFoundError) else "is not a database URL"
        )
        raise InvalidSettings(
            "the database cannot be used",
            [
                FieldError(
                    "PROMPTUARY_DATABASE_URL", f"{problem}; use sqlite:///FILE or postgresql://… with promptuary[postgres]"
                )
            ],
        ) from None


def sqlite_driver() -> Any:
    """Return the SQLite driver in use: the newer wheel where it is installed, else Python's own."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return sqlite3
    return dbapi2


def _pool(connections: int) -> dict[str, Any]:
    pooled = min(connections, POOLED_CONNECTIONS)
    # A failed statement's error is logged; its parameters contain messages and the values of variables.
    return {
        "pool_size": pooled,
        "max_overflow": connections - pooled,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        "hide_parameters": True,
    }


def _sqlite(url: str, file: str | None, pool: dict[str, Any]) -> Engine:
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, module=sqlite_driver(), **pool)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the begin event below decides, not the driver
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # else REPLACE deletes a row of an append-only table without its trigger
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


@contextmanager
def _translate_driver_errors() -> Iterator[None]:
    """Translate the driver's errors for a lock, a race, a full disk or a lost server into errors with a remedy."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy("every connection to the database is in use; try again") from error
    except DBAPIError as error:
        message = str(error.orig).lower()
        if "database is locked" in message or "database table is locked" in message or "deadlock" in message:
            raise DatabaseBusy("the database is locked by other writers; try again") from error
        if getattr(error.orig, "sqlstate", None) in _TIMEOUT_STATES:
            raise DatabaseBusy("the database needs longer than is allowed for it, or others lock it; try again") from error
        if "disk is full" in message or "no space left" in message:
            raise StorageFull("the database's disk is full; free some space, then try again", retry_after=30) from error
        if isinstance(error, IntegrityError) and "unique constraint" in message:
            raise Conflict("another writer has just created the same thing; read it, then decide") from error
        if "no such module: fts5" in message:
            raise Unavailable("this Python's SQLite has no FTS5, which the database needs; install pysqlite3-binary") from error
        is_statement_error = any(part in message for part in _STATEMENT_ERRORS)
        if (isinstance(error, OperationalError) and not is_statement_error) or error.connection_invalidated:
            raise Unavailable("the database does not answer; check that it runs and that its disk is mounted") from error
        raise
