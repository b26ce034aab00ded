import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from promptuary.access import store
from promptuary.core import change_feed as module
from promptuary.core.change_feed import ChangeFeed, ProjectRevisions, SqliteChangeFeed, create_change_feed
from promptuary.core.database import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def project(opened_database: Database) -> int:
    with opened_database.write() as session:
        return store.add_project(session, "shop", NOON).id


@pytest.fixture
def another(opened_database: Database) -> Iterator[Database]:
    """The same database as another process has it: through connections of its own, and without a word to this one."""
    database = opened_database.apart(2)
    yield database
    database.dispose()


@pytest.fixture
def changes(opened_database: Database) -> Iterator[ChangeFeed]:
    made = create_change_feed(opened_database, store.REVISIONS_QUERY)
    yield made
    made.close()


def write(database: Database, project: int) -> int:
    with database.write() as session:
        return store.next_revision(session, project)


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def knows(changes: ChangeFeed, project: int, counters: tuple[int, int]) -> bool:
    """Tell whether the counters are known: on SQLite at the first question, on PostgreSQL soon."""
    if isinstance(changes, SqliteChangeFeed):
        return changes.now(project) == counters
    return soon(lambda: changes.now(project) == counters)


# --- what is known at once ----------------------------------------------------------------------------------------------


def test_a_write_of_this_process_is_known_when_its_block_has_ended(
    database: Database, changes: ChangeFeed, project: int
) -> None:
    assert knows(changes, project, (0, 1))
    for revision in (1, 2, 3):
        assert write(database, project) == revision
        assert changes.now(project) == ProjectRevisions(revision, 1)


def test_keys_are_counted_apart_from_what_a_project_holds(database: Database, changes: ChangeFeed, project: int) -> None:
    assert knows(changes, project, (0, 1))
    with database.write() as session:
        assert store.next_access_revision(session, project) == 2
    assert changes.now(project) == (0, 2)


def test_a_write_that_is_taken_back_was_never_told(database: Database, changes: ChangeFeed, project: int) -> None:
    assert write(database, project) == 1
    assert knows(changes, project, (1, 1))

    def fails() -> None:
        with database.write() as session:
            store.next_revision(session, project)
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fails()
    assert changes.now(project) == (1, 1)


def test_a_write_of_another_process_is_known(database: Database, another: Database, changes: ChangeFeed, project: int) -> None:
    assert knows(changes, project, (0, 1))
    for revision in (1, 2, 3):
        write(another, project)
        assert knows(changes, project, (revision, 1))


def test_a_project_is_known_once_it_is_there(database: Database, another: Database, changes: ChangeFeed) -> None:
    assert changes.now(1) is None
    with another.write() as session:
        number = store.add_project(session, "new", NOON).id
    assert knows(changes, number, (0, 1))


def test_what_was_heard_before_there_was_a_listener_is_not_taken_for_the_present(
    database: Database, another: Database, changes: ChangeFeed, project: int
) -> None:
    """A first lookup tells what it read; who asks an hour later must not be told that it is still so."""
    changes.hear(project, ProjectRevisions(0, 1))
    write(another, project)
    assert changes.now(project) in (None, ProjectRevisions(1, 1))
    assert knows(changes, project, (1, 1))


def test_a_change_without_a_word_is_found_all_the_same(
    database: Database, another: Database, changes: ChangeFeed, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's NOTIFY is for speed; the poll is what nothing is missed by."""
    monkeypatch.setattr(module, "POSTGRES_POLL_SECONDS", 0.05)
    assert knows(changes, project, (0, 1))
    with another.write() as session:
        session.connection().execute(text("UPDATE project SET revision = 7"))
    assert knows(changes, project, (7, 1))


def test_counters_that_somebody_read_are_taken_over_and_none_goes_back(
    database: Database, changes: ChangeFeed, project: int
) -> None:
    write(database, project)
    assert knows(changes, project, (1, 1))
    for heard in (ProjectRevisions(1, 1), ProjectRevisions(0, 1)):
        changes.hear(project, heard)
        assert changes.now(project) == (1, 1)


def test_no_writer_keeps_the_question_waiting(sqlite: Database, another: Database, changes: ChangeFeed, project: int) -> None:
    """With the driver's own busy timeout this would end in ten seconds, and with an error."""
    with another.write() as session:
        store.next_revision(session, project)
        assert changes.now(project) == (0, 1)
    assert changes.now(project) == (1, 1)


def test_the_question_leaves_no_transaction_open_that_would_keep_the_log_from_being_taken_in(
    sqlite: Database, changes: ChangeFeed, project: int
) -> None:
    changes.now(project)
    write(sqlite, project)
    changes.now(project)
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one() == (0, 0, 0)


def test_nothing_is_started_before_it_is_asked_for(database: Database, changes: ChangeFeed) -> None:
    assert "promptuary-changes" not in [thread.name for thread in threading.enumerate()]


# --- the database is away -----------------------------------------------------------------------------------------------


def test_what_is_known_stays_known_while_sqlite_does_not_answer(
    sqlite: Database, changes: Any, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def execute(self, _statement: str) -> Any:
            raise changes._driver.OperationalError("disk I/O error")

    assert changes.now(project) == (0, 1)
    cursor = changes._cursor
    with capture_logs() as logs:
        changes._cursor = Broken()
        assert [changes.now(project), changes.now(project), changes.now(99)] == [(0, 1), (0, 1), None]
        changes._cursor = cursor
        write(sqlite, project)
        assert changes.now(project) == (1, 1)
    assert [entry["event"] for entry in logs] == [
        "the database cannot be asked for changes; what memory holds is answered",
        "the database can be asked for changes again",
    ]
    assert logs[0]["error"] == "disk I/O error"


def test_a_listener_whose_connection_breaks_comes_back_and_has_missed_nothing(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.copy() as url, capture_logs() as logs:
        database = Database(url)
        changes, silent = create_change_feed(database, store.REVISIONS_QUERY), database.apart(2)
        try:
            with database.write() as session:
                project = store.add_project(session, "shop", NOON).id
            assert soon(lambda: changes.now(project) == (0, 1))
            name = database.engine.url.database
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            assert soon(lambda: len(logs) == 1)
            assert changes.now(project) == (0, 1)
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            write(silent, project)
            assert soon(lambda: changes.now(project) == (1, 1))
            assert soon(lambda: len(logs) == 2)
        finally:
            changes.close()
            silent.dispose()
            database.dispose()
    assert [entry["event"] for entry in logs] == [
        "the database cannot be asked for changes; what memory holds is answered",
        "the database can be asked for changes again",
    ]


def test_a_server_that_was_never_there_is_no_error_and_no_wait() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    changes = create_change_feed(database, store.REVISIONS_QUERY)
    with capture_logs() as logs:
        assert changes.now(1) is None
        assert soon(lambda: len(logs) == 1)
        changes.close()
    assert "cannot be asked" in logs[0]["event"]


# --- waiting ------------------------------------------------------------------------------------------------------------


def test_who_waits_is_woken_by_a_write_of_any_process(
    database: Database, another: Database, changes: ChangeFeed, project: int
) -> None:
    async def wait_and_write() -> list[int]:
        seen = []
        for writer in (database, another):
            waiting = asyncio.create_task(changes.wait(project, len(seen), timeout=10))
            await asyncio.sleep(0)
            await asyncio.to_thread(write, writer, project)
            seen.append(await waiting)
        return seen

    assert asyncio.run(wait_and_write()) == [1, 2]


def test_what_has_changed_already_is_not_waited_for(database: Database, changes: ChangeFeed, project: int) -> None:
    write(database, project)
    assert knows(changes, project, (1, 1))
    assert asyncio.run(changes.wait(project, 0, timeout=60)) == 1


def test_waiting_ends_after_its_time_with_the_revision_as_it_is(database: Database, changes: ChangeFeed, project: int) -> None:
    assert knows(changes, project, (0, 1))
    assert asyncio.run(changes.wait(project, 0, timeout=0.01)) == 0
    assert not changes._waiting


def test_a_change_of_another_project_or_of_keys_wakes_nobody(database: Database, changes: ChangeFeed, project: int) -> None:
    async def wait() -> int:
        waiting = asyncio.create_task(changes.wait(project, 0, timeout=0.2))
        await asyncio.sleep(0)
        with database.write() as session:
            other = store.add_project(session, "other", NOON).id
            store.next_revision(session, other)
            store.next_access_revision(session, project)
        return await waiting

    assert asyncio.run(wait()) == 0


def test_two_hundred_wait_on_one_thread(database: Database, changes: ChangeFeed, project: int) -> None:
    async def wait() -> list[int]:
        before = threading.active_count()
        waiting = [asyncio.create_task(changes.wait(project, 0, timeout=30)) for _ in range(200)]
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 1
        write(database, project)
        return await asyncio.gather(*waiting)

    changes.now(project)
    assert asyncio.run(wait()) == [1] * 200


def test_nobody_asks_the_database_while_nobody_waits(
    sqlite: Database, changes: Any, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SQLITE_POLL_SECONDS", 0.001)
    asyncio.run(changes.wait(project, 0, timeout=0.05))
    assert soon(lambda: not changes._wanted.is_set())
    write(sqlite, project)
    assert asyncio.run(changes.wait(project, 1, timeout=0.05)) == 1


def test_closing_wakes_everybody_and_can_be_done_twice(database: Database, changes: ChangeFeed, project: int) -> None:
    async def wait() -> int:
        waiting = asyncio.create_task(changes.wait(project, 0, timeout=60))
        await asyncio.sleep(0)
        await asyncio.to_thread(changes.close)
        return await waiting

    assert knows(changes, project, (0, 1))
    assert asyncio.run(wait()) == 0
    changes.close()
    assert changes.now(project) == (0, 1)
    assert asyncio.run(changes.wait(project, 0, timeout=60)) == 0


def test_who_has_left_with_its_loop_disturbs_nobody(database: Database, changes: ChangeFeed, project: int) -> None:
    loop = asyncio.new_event_loop()
    left = module._Waiter(project, 0, loop, loop.create_future())
    loop.close()
    changes._waiting.add(left)
    write(database, project)
    assert asyncio.run(changes.wait(project, 0, timeout=60)) == 1
