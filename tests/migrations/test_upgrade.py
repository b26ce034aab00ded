import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

import promptuary
from promptuary.core.database import Database
from promptuary.migrations import upgrade as upgrade_module
from promptuary.migrations.upgrade import HEAD, UnknownSchema, current_revision, upgrade

APPEND_ONLY = [
    "adjudication",
    "audit",
    "dataset_case",
    "dataset_version",
    "decision",
    "decision_undo",
    "event",
    "evidence",
    "gold_case",
    "label_move",
    "review_schema",
    "version",
    "version_include",
]


@pytest.fixture(scope="module", autouse=True)
def _all_tables() -> None:
    """Import every part's tables, so that the models are complete."""
    for root in promptuary.__path__:
        for path in sorted(Path(root).rglob("tables.py")):
            importlib.import_module(".".join(["promptuary", *path.relative_to(root).with_suffix("").parts]))
    importlib.import_module("promptuary.core.outbox")


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.dispose()


SEARCH_TABLES = "prompt_words"
"""The beginning of the names of full-text search's tables, which each database has in its own form and no model describes."""


def is_of_a_model(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and (name or "").startswith(SEARCH_TABLES))


def tables(database: Database) -> set[str]:
    with database.read() as session:
        return {name for name in inspect(session.connection()).get_table_names() if not name.startswith(SEARCH_TABLES)}


def test_an_empty_database_gets_exactly_the_tables_of_the_models(empty: Database) -> None:
    assert current_revision(empty) is None
    upgrade(empty)
    assert current_revision(empty) == HEAD
    assert tables(empty) == {*SQLModel.metadata.tables, "alembic_version"}
    with empty.read() as session:
        options = {"compare_type": True, "compare_server_default": True, "include_name": is_of_a_model}
        context = MigrationContext.configure(session.connection(), opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_head_that_the_code_names_is_the_last_step() -> None:
    assert ScriptDirectory(str(Path(upgrade_module.__file__).parent)).get_heads() == [HEAD]


def test_a_second_upgrade_does_nothing_and_keeps_the_data(empty: Database) -> None:
    upgrade(empty)
    with empty.write() as session:
        session.connection().execute(
            text("INSERT INTO project (id, name, revision, audit_sequence, created_at) VALUES (1, 'kept', 0, 0, '2026-03-02')")
        )
    upgrade(empty)
    with empty.read() as session:
        assert session.connection().execute(text("SELECT name FROM project")).scalar_one() == "kept"


def test_upgrades_at_the_same_moment_do_it_once(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, databases))
    assert {current_revision(database) for database in databases} == {HEAD}
    for database in databases:
        database.dispose()


def test_a_database_ahead_of_this_release_is_refused_and_left_as_it_is(empty: Database) -> None:
    upgrade(empty)
    with empty.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnknownSchema, match=r"the database is not of this release .*; install the release that created it"):
        upgrade(empty)
    assert current_revision(empty) == "9999"


def test_an_upgrade_that_fails_on_the_way_leaves_nothing(empty: Database) -> None:
    with empty.write() as session:
        session.connection().execute(text("CREATE TABLE claim (id INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(empty)
    assert tables(empty) == {"claim"}


def test_history_is_kept_by_triggers(empty: Database) -> None:
    upgrade(empty)
    query = {
        "sqlite": "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
        "postgresql": "SELECT DISTINCT event_object_table FROM information_schema.triggers ORDER BY 1",
    }[empty.dialect]
    with empty.read() as session:
        assert list(session.connection().execute(text(query)).scalars()) == APPEND_ONLY


def test_every_append_only_table_refuses_truncate_on_postgresql(empty: Database) -> None:
    upgrade(empty)
    if empty.dialect == "sqlite":
        return  # it has no such statement, and a DELETE of all rows fires its trigger
    query = (
        "SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "WHERE tgtype & 32 = 32 AND NOT tgisinternal ORDER BY 1"  # 32: TRIGGER_TYPE_TRUNCATE
    )
    with empty.read() as session:
        assert list(session.connection().execute(text(query)).scalars()) == APPEND_ONLY
    for table in APPEND_ONLY:
        with pytest.raises(Exception, match="is append-only"), empty.write() as session:
            session.connection().execute(text(f"TRUNCATE {table} CASCADE"))
