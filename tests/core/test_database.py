import os
import platform
import sqlite3
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session, select

from promptuary.access.tables import KeyRow, ProjectRow
from promptuary.core import database
from promptuary.core.database import Database, UtcDateTime, _translate_driver_errors, sqlite_driver
from promptuary.core.errors import Conflict, DatabaseBusy, PromptuaryError, StorageFull, Unavailable
from promptuary.core.settings import InvalidSettings

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(ProjectRow.name).order_by(ProjectRow.name)))


def test_a_write_is_committed_when_its_block_ends(database: Database) -> None:
    with database.write() as session:
        session.add(ProjectRow(name="a", created_at=NOON))
    assert names(database) == ["a"]


def test_an_exception_takes_everything_back(database: Database) -> None:
    def fails() -> None:
        with database.write() as session:
            session.add(ProjectRow(name="a", created_at=NOON))
            session.flush()
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fails()
    assert names(database) == []


def test_who_listens_hears_of_a_commit_and_of_nothing_else(database: Database) -> None:
    heard: list[str] = []
    database.after_commit.append(lambda info: heard.append(f"{info['word']}: {names(database)}"))
    with database.write() as session:
        session.info["word"] = "committed"
        session.add(ProjectRow(name="a", created_at=NOON))
        assert heard == []
    with database.read() as session:
        session.info["word"] = "read"

    def fails() -> None:
        with database.write() as session:
            session.info["word"] = "taken back"
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fails()
    assert heard == ["committed: ['a']"]


def test_connections_apart_are_there_while_others_hold_all(sqlite: Database) -> None:
    url = sqlite.engine.url.render_as_string(hide_password=False)
    crowded = Database(url, connections=1)
    apart = crowded.with_own_connections(1)
    with crowded.write() as session:
        session.add(ProjectRow(name="a", created_at=NOON))
        session.flush()
        assert names(apart) == []
    assert names(apart) == ["a"]
    crowded.dispose()
    apart.dispose()


def test_what_a_reading_session_changes_is_refused_or_thrown_away(database: Database) -> None:
    refused = pytest.raises(DBAPIError, match="read-only") if database.dialect == "postgresql" else nullcontext()
    with refused, database.read() as session:
        session.add(ProjectRow(name="a", created_at=NOON))
        session.flush()
    assert names(database) == []


def test_a_reading_session_sees_one_state(database: Database) -> None:
    with database.read() as session:
        assert session.exec(select(ProjectRow)).all() == []
        with database.write() as other:
            other.add(ProjectRow(name="a", created_at=NOON))
        assert session.exec(select(ProjectRow)).all() == []
    assert names(database) == ["a"]


def test_a_timestamp_comes_back_in_utc_to_the_microsecond(database: Database) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    with database.write() as session:
        session.add(ProjectRow(name="a", created_at=elsewhere))
    with database.read() as session:
        created_at = session.exec(select(ProjectRow.created_at)).one()
    assert (created_at, created_at.utcoffset()) == (NOON, timedelta(0))


def test_a_timestamp_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), SimpleNamespace())  # type: ignore[arg-type] # never looked at


def test_sqlite_is_durable_and_enforces_foreign_keys(sqlite: Database) -> None:
    with sqlite.read() as session:
        settings = {
            name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": database.BUSY_MILLISECONDS}


def test_a_row_that_points_nowhere_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(KeyRow(id="x", project_id=77, name="n", role="reader", hash="h", created_at=NOON))


def test_two_rows_with_one_name_are_a_conflict(database: Database) -> None:
    with database.write() as session:
        session.add(ProjectRow(name="a", created_at=NOON))
    with pytest.raises(Conflict, match="has just created the same thing"), database.write() as session:
        session.add(ProjectRow(name="a", created_at=NOON))


def test_a_writer_that_waits_too_long_gets_database_busy(sqlite: Database) -> None:
    impatient = Database(str(sqlite.engine.url))
    try:
        with impatient.read() as session:
            session.connection().execute(text("PRAGMA busy_timeout=1"))
        with sqlite.write() as lock:
            lock.connection()
            with pytest.raises(DatabaseBusy), impatient.write() as session:
                session.connection()
        with impatient.write() as session:
            session.add(ProjectRow(name="after", created_at=NOON))
    finally:
        impatient.dispose()
    assert names(sqlite) == ["after"]


def test_readers_continue_while_a_writer_locks_the_database(sqlite: Database) -> None:
    with sqlite.write() as session:
        session.add(ProjectRow(name="a", created_at=NOON))
        session.flush()
        assert names(sqlite) == []


@pytest.mark.parametrize(
    ("kind", "words", "error", "retry_after"),
    [
        (OperationalError, "database is locked", DatabaseBusy, 1),
        (OperationalError, "database table is locked: prompt", DatabaseBusy, 1),
        (OperationalError, "deadlock detected", DatabaseBusy, 1),
        (OperationalError, "database or disk is full", StorageFull, 30),
        (OperationalError, "could not extend file: No space left on device", StorageFull, 30),
        (OperationalError, "server closed the connection unexpectedly", Unavailable, 1),
        (OperationalError, "unable to open database file", Unavailable, 1),
        (IntegrityError, "UNIQUE constraint failed: prompt.name", Conflict, None),
        (IntegrityError, 'duplicate key value violates unique constraint "x"', Conflict, None),
    ],
)
def test_a_drivers_error_becomes_one_with_a_remedy(
    kind: type[DBAPIError], words: str, error: type[PromptuaryError], retry_after: int | None
) -> None:
    with pytest.raises(error) as raised, _translate_driver_errors():
        raise kind("SELECT secret", {}, sqlite3.Error(words))
    assert getattr(raised.value, "retry_after", None) == retry_after
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OperationalError, "no such table: prompt"),
        (DataError, "out of range"),
        (IntegrityError, "version is append-only"),
        (IntegrityError, "FOREIGN KEY"),
    ],
)
def test_a_programming_error_is_not_translated(kind: type[DBAPIError], words: str) -> None:
    with pytest.raises(kind), _translate_driver_errors():
        raise kind("SELECT 1", {}, sqlite3.Error(words))


@pytest.mark.parametrize("url", ["sqlite:///file.db", "postgresql://u@h/x"])
def test_a_failed_statement_does_not_repeat_its_parameters(url: str) -> None:
    database = Database(url)
    assert database.engine.hide_parameters
    database.dispose()


def test_a_database_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    unreachable = Database("postgresql://nobody@/none?host=" + str(tmp_path))
    with pytest.raises(Unavailable, match="does not answer"):
        names(unreachable)
    unreachable.dispose()


@pytest.mark.parametrize("url", ["nonsense", "", "redis://localhost/0", "sqlite+nodriver:///x", "mysql://u:hunter2@h/x"])
def test_a_url_that_cannot_be_used_names_the_variable_and_no_secret(url: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Database(url)
    assert [error.path for error in raised.value.field_errors] == ["PROMPTUARY_DATABASE_URL"]
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_short_postgresql_urls_mean_the_installed_driver(scheme: str) -> None:
    database = Database(f"{scheme}://u@h/x")
    assert (database.dialect, database.engine.url.drivername) == ("postgresql", "postgresql+psycopg")
    database.dispose()


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'promptuary.db'}")
    with database.read() as session:
        session.connection()
    database.dispose()
    assert os.stat(tmp_path / "new").st_mode & 0o777 == 0o700


def test_sqlite_has_no_write_ahead_log_bug_on_linux() -> None:
    """The wheel is a requirement there, so that a missing one fails."""
    assert platform.system() != "Linux" or sqlite_driver().sqlite_version_info >= (3, 51, 3)


def test_the_wheel_of_sqlite_goes_before_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = SimpleNamespace(dbapi2=SimpleNamespace(sqlite_version_info=(9, 0, 0)))
    monkeypatch.setitem(sys.modules, "pysqlite3", wheel)
    assert sqlite_driver() is wheel.dbapi2
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    assert sqlite_driver() is sqlite3


def test_sessions_are_sqlmodels(sqlite: Database) -> None:
    with sqlite.read() as session:
        assert isinstance(session, Session)
