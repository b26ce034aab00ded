"""Each process knows of every commit: on SQLite at the next call, on PostgreSQL by notification and poll."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from doubles.eventually import eventually
from promptuary.access import store
from promptuary.core.change_feed import postgres as postgres_feed
from promptuary.core.change_feed.factory import create_change_feed
from promptuary.core.change_feed.feed import ChangeFeed, Waiter
from promptuary.core.change_feed.revisions import ProjectRevisions
from promptuary.core.change_feed.sqlite import SqliteChangeFeed
from promptuary.core.database import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FOREVER = 3600.0


@pytest.fixture
def project(opened_database: Database) -> int:
    with opened_database.write() as session:
        return store.add_project(session, "shop", NOON).id


@pytest.fixture
def other_process(opened_database: Database) -> Iterator[Database]:
    """The same database as another process has it: on connections of its own, whose commits this process does not observe."""
    database = opened_database.with_own_connections(2)
    yield database
    database.dispose()


@pytest.fixture
def feed(opened_database: Database) -> Iterator[ChangeFeed]:
    change_feed = create_change_feed(opened_database, store.REVISIONS_QUERY)
    yield change_feed
    change_feed.close()


def write(database: Database, project: int) -> int:
    with database.write() as session:
        return store.next_revision(session, project)


def knows(feed: ChangeFeed, project: int, revisions: tuple[int, int]) -> bool:
    """Return whether the revisions are known: on SQLite at the first call, on PostgreSQL eventually."""
    if isinstance(feed, SqliteChangeFeed):
        return feed.revisions(project) == revisions
    return eventually(lambda: feed.revisions(project) == revisions)


# --- what is known at once ----------------------------------------------------------------------------------------------


def test_a_write_of_this_process_is_known_when_its_block_has_ended(database: Database, feed: ChangeFeed, project: int) -> None:
    assert knows(feed, project, (0, 1))
    for revision in (1, 2, 3):
        assert write(database, project) == revision
        assert feed.revisions(project) == ProjectRevisions(revision, 1)


def test_changes_of_keys_are_counted_separately(database: Database, feed: ChangeFeed, project: int) -> None:
    assert knows(feed, project, (0, 1))
    with database.write() as session:
        assert store.next_access_revision(session, project) == 2
    assert feed.revisions(project) == (0, 2)


def test_a_write_that_is_rolled_back_is_not_published(database: Database, feed: ChangeFeed, project: int) -> None:
    assert write(database, project) == 1
    assert knows(feed, project, (1, 1))

    def fails() -> None:
        with database.write() as session:
            store.next_revision(session, project)
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fails()
    assert feed.revisions(project) == (1, 1)


def test_a_write_of_another_process_is_known(
    database: Database, other_process: Database, feed: ChangeFeed, project: int
) -> None:
    assert knows(feed, project, (0, 1))
    for revision in (1, 2, 3):
        write(other_process, project)
        assert knows(feed, project, (revision, 1))


def test_a_project_is_known_once_it_is_there(database: Database, other_process: Database, feed: ChangeFeed) -> None:
    assert feed.revisions(1) is None
    with other_process.write() as session:
        number = store.add_project(session, "new", NOON).id
    assert knows(feed, number, (0, 1))


def test_revisions_observed_before_listening_are_not_returned_as_current(
    database: Database, other_process: Database, feed: ChangeFeed, project: int
) -> None:
    """A first lookup reports what it read; an hour later that may be outdated."""
    feed.observe(project, ProjectRevisions(0, 1))
    write(other_process, project)
    assert feed.revisions(project) in (None, ProjectRevisions(1, 1))
    assert knows(feed, project, (1, 1))


def test_the_poll_finds_a_change_without_a_notification(
    database: Database, other_process: Database, feed: ChangeFeed, project: int
) -> None:
    """On PostgreSQL, NOTIFY is for speed; the poll is what misses nothing."""
    feed.poll_seconds = 0.05
    assert knows(feed, project, (0, 1))
    with other_process.write() as session:
        session.connection().execute(text("UPDATE project SET revision = 7"))
    assert knows(feed, project, (7, 1))


def test_observed_revisions_never_decrease(database: Database, feed: ChangeFeed, project: int) -> None:
    write(database, project)
    assert knows(feed, project, (1, 1))
    for observed in (ProjectRevisions(1, 1), ProjectRevisions(0, 1)):
        feed.observe(project, observed)
        assert feed.revisions(project) == (1, 1)


def test_no_writer_delays_the_check(sqlite: Database, other_process: Database, feed: ChangeFeed, project: int) -> None:
    """With the driver's own busy timeout this would end in ten seconds, and with an error."""
    with other_process.write() as session:
        store.next_revision(session, project)
        assert feed.revisions(project) == (0, 1)
    assert feed.revisions(project) == (1, 1)


def test_the_check_leaves_no_transaction_that_blocks_a_checkpoint(sqlite: Database, feed: ChangeFeed, project: int) -> None:
    feed.revisions(project)
    write(sqlite, project)
    feed.revisions(project)
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one() == (0, 0, 0)


def test_nothing_is_started_before_the_first_call(database: Database, feed: ChangeFeed) -> None:
    assert "promptuary-changes" not in [thread.name for thread in threading.enumerate()]


# --- the database is away -----------------------------------------------------------------------------------------------


def test_known_revisions_stay_while_sqlite_does_not_answer(sqlite: Database, feed: Any, project: int) -> None:
    class Broken:
        def execute(self, _statement: str) -> Any:
            raise feed._driver.OperationalError("disk I/O error")

    assert feed.revisions(project) == (0, 1)
    cursor = feed._cursor
    with capture_logs() as logs:
        feed._cursor = Broken()
        assert [feed.revisions(project), feed.revisions(project), feed.revisions(99)] == [(0, 1), (0, 1), None]
        feed._cursor = cursor
        write(sqlite, project)
        assert feed.revisions(project) == (1, 1)
    assert [entry["event"] for entry in logs] == [
        "the change feed is disconnected; lookups are answered from memory",
        "the change feed is connected again",
    ]
    assert logs[0]["error"] == "disk I/O error"


def test_a_broken_listener_reconnects_and_misses_nothing(postgres: Any) -> None:
    with postgres.copy() as url, capture_logs() as logs:
        database = Database(url)
        feed, silent = create_change_feed(database, store.REVISIONS_QUERY), database.with_own_connections(2)
        try:
            with database.write() as session:
                project = store.add_project(session, "shop", NOON).id
            assert eventually(lambda: feed.revisions(project) == (0, 1))
            name = database.engine.url.database
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            assert eventually(lambda: len(logs) == 1)
            assert feed.revisions(project) == (0, 1)
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            write(silent, project)
            assert eventually(lambda: feed.revisions(project) == (1, 1))
            assert eventually(lambda: len(logs) == 2)
        finally:
            feed.close()
            silent.dispose()
            database.dispose()
    assert [entry["event"] for entry in logs] == [
        "the change feed is disconnected; lookups are answered from memory",
        "the change feed is connected again",
    ]


def test_a_feed_that_stood_still_knows_nothing_until_it_listens_again(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others did not wait for it, and have ended its session; that the database is away is not known yet."""
    monkeypatch.setattr(postgres_feed, "RETRY_SECONDS", (FOREVER, FOREVER))
    with postgres.copy() as url, capture_logs() as logs:
        database = Database(url)
        feed = create_change_feed(database, store.REVISIONS_QUERY)
        silent, reconnects, wait = database.with_own_connections(2), threading.Event(), feed._closed.wait

        def note_and_wait(timeout: float | None = None) -> bool:
            reconnects.set()
            return wait(timeout)

        monkeypatch.setattr(feed._closed, "wait", note_and_wait)
        try:
            with database.write() as session:
                project = store.add_project(session, "shop", NOON).id
            assert eventually(lambda: feed.revisions(project) == (0, 1))
            monkeypatch.setattr(postgres_feed, "LEASE_SECONDS", 0.0)
            postgres.run(f"SELECT pg_terminate_backend({database.listener})")
            assert reconnects.wait(60)
            write(silent, project)
            assert feed.revisions(project) is None
        finally:
            feed.close()
            silent.dispose()
            database.dispose()
    assert logs == []


def test_an_unreachable_server_causes_neither_error_nor_wait() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    feed = create_change_feed(database, store.REVISIONS_QUERY)
    with capture_logs() as logs:
        assert feed.revisions(1) is None
        assert eventually(lambda: len(logs) == 1)
        feed.close()
    assert "disconnected" in logs[0]["event"]


# --- waiting ------------------------------------------------------------------------------------------------------------


def test_a_waiter_is_woken_by_a_write_of_any_process(
    database: Database, other_process: Database, feed: ChangeFeed, project: int
) -> None:
    async def wait_and_write() -> list[int]:
        seen = []
        for writer in (database, other_process):
            waiter = asyncio.create_task(feed.wait(project, len(seen), timeout=FOREVER))
            await asyncio.sleep(0)
            await asyncio.to_thread(write, writer, project)
            seen.append(await waiter)
        return seen

    assert asyncio.run(wait_and_write()) == [1, 2]


def test_a_change_that_is_there_already_ends_the_wait_at_once(database: Database, feed: ChangeFeed, project: int) -> None:
    write(database, project)
    assert knows(feed, project, (1, 1))
    assert asyncio.run(feed.wait(project, 0, timeout=FOREVER)) == 1


def test_waiting_ends_after_its_timeout_with_the_current_revision(database: Database, feed: ChangeFeed, project: int) -> None:
    assert knows(feed, project, (0, 1))
    assert asyncio.run(feed.wait(project, 0, timeout=0.01)) == 0
    assert not feed._waiters


def test_a_change_of_another_project_or_of_keys_wakes_nobody(database: Database, feed: ChangeFeed, project: int) -> None:
    async def wait() -> int:
        waiter = asyncio.create_task(feed.wait(project, 0, timeout=FOREVER))
        await asyncio.sleep(0)
        with database.write() as session:
            other = store.add_project(session, "other", NOON).id
            store.next_revision(session, other)
            store.next_access_revision(session, project)
        assert await asyncio.to_thread(knows, feed, other, (1, 1))
        assert await asyncio.to_thread(knows, feed, project, (0, 2))
        (registered,) = feed._waiters
        assert not registered.woken.done()
        await asyncio.to_thread(write, database, project)
        return await waiter

    assert asyncio.run(wait()) == 1


def test_two_hundred_wait_on_one_thread(database: Database, feed: ChangeFeed, project: int) -> None:
    async def wait() -> list[int]:
        before = threading.active_count()
        waiting = [asyncio.create_task(feed.wait(project, 0, timeout=FOREVER)) for _ in range(200)]
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 1
        write(database, project)
        return await asyncio.gather(*waiting)

    feed.revisions(project)
    assert asyncio.run(wait()) == [1] * 200


def test_the_database_is_not_polled_while_nobody_waits(sqlite: Database, feed: Any, project: int) -> None:
    feed.poll_seconds = 0.001
    asyncio.run(feed.wait(project, 0, timeout=0.05))
    assert eventually(lambda: not feed._has_waiters.is_set())
    write(sqlite, project)
    assert asyncio.run(feed.wait(project, 1, timeout=0.05)) == 1


def test_closing_wakes_every_waiter_and_can_be_repeated(database: Database, feed: ChangeFeed, project: int) -> None:
    async def wait() -> int:
        waiting = asyncio.create_task(feed.wait(project, 0, timeout=FOREVER))
        await asyncio.sleep(0)
        await asyncio.to_thread(feed.close)
        return await waiting

    assert knows(feed, project, (0, 1))
    assert asyncio.run(wait()) == 0
    feed.close()
    assert feed.revisions(project) == (0, 1)
    assert asyncio.run(feed.wait(project, 0, timeout=FOREVER)) == 0


def test_a_waiter_whose_loop_has_ended_disturbs_nothing(database: Database, feed: ChangeFeed, project: int) -> None:
    loop = asyncio.new_event_loop()
    abandoned = Waiter(project, 0, loop, loop.create_future())
    loop.close()
    feed._waiters.add(abandoned)
    write(database, project)
    assert asyncio.run(feed.wait(project, 0, timeout=FOREVER)) == 1
