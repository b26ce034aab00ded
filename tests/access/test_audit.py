from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from promptuary.access import audit, store
from promptuary.access.audit import ChainVerification
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Database
from promptuary.prompt.content import Content
from promptuary.prompt.digest import json_digest
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]


def fill(unit_as: Units, rows: int = 5, project: str = "default") -> None:
    for number in range(rows):
        with unit_as("author", project) as unit:
            audit.record_change(unit, "label.moved", "a.prompt", {"n": number, "reason": "déjà vu"})


def verify(unit_as: Units, project: str = "default") -> ChainVerification:
    with unit_as("admin", project) as unit:
        return audit.verify_chain(unit.session, unit.caller.project)


def tamper(database: Database, *statements: str) -> None:
    """Execute statements with the triggers removed, as someone with access to the database could."""
    if database.dialect == "sqlite":
        with database.write() as session:
            names = ("no_update", "no_delete")
            for name in names:
                session.connection().execute(text(f"DROP TRIGGER IF EXISTS audit_{name}"))
            for statement in statements:
                session.connection().execute(text(statement))
        return
    with database.write() as session:
        session.connection().execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        for statement in statements:
            session.connection().execute(text(statement))


def test_every_row_is_chained_to_the_one_before(database: Database, unit_as: Units) -> None:
    fill(unit_as)
    with unit_as("admin") as unit:
        rows = store.list_entries(unit.session, unit.caller.project, None, 10)
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0].previous == audit.GENESIS_DIGEST
    assert [row.previous for row in rows[1:]] == [row.digest for row in rows[:-1]]
    assert rows[0].actor == "key:author"
    assert verify(unit_as) == ChainVerification(5, None, None)


def test_an_empty_chain_is_whole(unit_as: Units) -> None:
    assert verify(unit_as) == ChainVerification(0, None, None)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'key:admin'",
        "action = 'label.rolled-back'",
        "subject = 'another'",
        "detail = '{\"n\": 7}'",
        "previous = 'sha256:1'",
        "digest = 'sha256:1'",
    ],
)
def test_a_changed_row_is_found(database: Database, unit_as: Units, change: str) -> None:
    fill(unit_as)
    tamper(database, f"UPDATE audit SET {change} WHERE sequence = 3")
    assert verify(unit_as) == ChainVerification(3, 3, "the row was changed")


@pytest.mark.parametrize(("removed", "broken_at", "rows"), [(1, 1, 1), (3, 3, 3), (5, 5, 4)])
def test_a_removed_row_is_found_also_at_either_end(
    database: Database, unit_as: Units, removed: int, broken_at: int, rows: int
) -> None:
    fill(unit_as)
    tamper(database, f"DELETE FROM audit WHERE sequence = {removed}")
    verification = verify(unit_as)
    assert (verification.broken_at, verification.rows) == (broken_at, rows)
    assert verification.reason in ("a row is missing", "rows are missing at the end")


def test_an_inserted_row_is_found(database: Database, unit_as: Units) -> None:
    fill(unit_as)
    columns = "project_id, at, actor, action, subject, detail, previous, digest"
    tamper(database, f"INSERT INTO audit (sequence, {columns}) SELECT 6, {columns} FROM audit WHERE sequence = 2")
    assert verify(unit_as).broken_at == 6


def test_rows_put_in_each_others_place_are_found(database: Database, unit_as: Units) -> None:
    fill(unit_as)
    tamper(
        database,
        "UPDATE audit SET sequence = 99 WHERE sequence = 2",
        "UPDATE audit SET sequence = 2 WHERE sequence = 3",
        "UPDATE audit SET sequence = 3 WHERE sequence = 99",
    )
    assert verify(unit_as).broken_at == 2


def test_each_project_has_a_chain_of_its_own(database: Database, unit_as: Units) -> None:
    fill(unit_as, 2)
    fill(unit_as, 3, "shop")
    tamper(database, "UPDATE audit SET actor = 'x' WHERE sequence = 3")
    assert verify(unit_as) == ChainVerification(2, None, None)
    assert verify(unit_as, "shop").broken_at == 3


def test_when_the_audit_row_cannot_be_written_neither_is_the_change(
    database: Database, unit_as: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any) -> None:
        raise RuntimeError("no audit")

    def register() -> None:
        with unit_as("author") as unit:
            Registry(unit).register("a", Content(type="text", template="x"))

    with monkeypatch.context() as patched:
        patched.setattr(store, "add_entry", fails)
        with pytest.raises(RuntimeError, match="no audit"):
            register()
    with database.read() as session:
        counts = [
            session.connection().execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in ("prompt", "version", "audit")
        ]
    assert counts == [0, 0, 0]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_chain(database: Database, unit_as: Units, statement: str) -> None:
    fill(unit_as, 1)
    with pytest.raises(Exception, match="audit is append-only"), database.write() as session:
        session.connection().execute(text(statement))
    assert verify(unit_as) == ChainVerification(1, None, None)


def test_a_row_changed_together_with_its_own_digest_is_found_by_the_next_one(database: Database, unit_as: Units) -> None:
    fill(unit_as)
    with unit_as("admin") as unit:
        third = store.list_entries(unit.session, unit.caller.project, 2, 1)[0]
    forged = replace(third, actor="key:nobody")
    body = {**vars(forged), "at": format_timestamp(forged.at)}
    body.pop("digest")
    tamper(database, f"UPDATE audit SET actor = 'key:nobody', digest = '{json_digest(body)}' WHERE sequence = 3")
    assert verify(unit_as) == ChainVerification(4, 4, "the row was changed")


def test_a_long_chain_is_walked_in_batches(sqlite: Database, unit_as: Units) -> None:
    with unit_as("author") as unit:
        for number in range(1001):
            audit.record_change(unit, "x.done", "s", {"n": number})
    assert verify(unit_as) == ChainVerification(1001, None, None)
