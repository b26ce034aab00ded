import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from factories.clock import ManualClock
from promptuary.access import audit, store
from promptuary.access.audit import ChainHead, ChainVerification
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.database import Database
from promptuary.core.errors import Conflict, Invalid
from promptuary.prompt.content import Content
from promptuary.prompt.digest import json_digest
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]


def fill(unit_as: Units, rows: int = 5, project: str = "default") -> None:
    for number in range(rows):
        with unit_as("author", project) as unit:
            audit.record_change(unit, "label.moved", "a.prompt", {"n": number, "reason": "déjà vu"})


def verify(unit_as: Units, project: str = "default", head: ChainHead | None = None) -> ChainVerification:
    with unit_as("admin", project) as unit:
        return audit.verify_chain(unit.session, unit.caller.project, head)


def head_of(unit_as: Units) -> ChainHead:
    with unit_as("admin") as unit:
        return audit.read_head(unit.session, unit.caller.project)


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
        "detail = '[1, 2]'",
        "at = '2026-03-02 12:00:01+00'",
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
        for number in range(store.BATCH + 1):
            audit.record_change(unit, "x.done", "s", {"n": number})
    assert verify(unit_as) == ChainVerification(store.BATCH + 1, None, None)


@pytest.mark.parametrize(
    "change",
    ["detail = 'no JSON'", "detail = '{\"n\": NaN}'", "detail = x'7b'", "at = 'noon'", "at = 12", "actor = x'00ff'"],
)
def test_a_row_with_what_no_row_can_have_is_found(sqlite: Database, unit_as: Units, change: str) -> None:
    fill(unit_as)
    tamper(sqlite, f"UPDATE audit SET {change} WHERE sequence = 3")
    assert verify(unit_as) == ChainVerification(3, 3, "the row was changed")


@pytest.mark.parametrize(
    "detail",
    [
        {"score": 0.25, "large": 1e21, "whole": 3.0, "small": -1e-9},
        {"number": 2**53 - 1, "negative": -(2**53) + 1, "truth": True, "nothing": None},
        {"text": '1234567890123456 and \u20ac \U0001f600 \u2028 " \\ \x07'},
        {"\U0001f600": 1, "\uffee": 2, "é": 3, "z": 4, "A": {"b": [], "a": {}}},
    ],
)
def test_every_json_value_in_a_detail_verifies(database: Database, unit_as: Units, detail: dict[str, Any]) -> None:
    with unit_as("author") as unit:
        audit.record_change(unit, "thing.done", "Größe \U0001f600", detail)
    assert verify(unit_as) == ChainVerification(1, None, None)


@given(
    detail=st.dictionaries(
        st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
    )
)
def test_a_stored_row_has_the_digest_that_was_written(detail: dict[str, Any]) -> None:
    fields = {"sequence": 1, "actor": "key:a", "action": "a.b", "subject": "s", "detail": detail, "previous": "sha256:0"}
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    try:
        written = json_digest({**fields, "at": format_timestamp(at)})
    except Invalid:
        return
    stored = store.StoredEntry(**{**fields, "detail": json.dumps(detail)}, at="2026-03-02 12:00:00.000000", digest=written)
    assert audit.stored_digest(stored) == written
    assert audit.stored_digest(stored._replace(at=at, detail=json.dumps(detail, ensure_ascii=False))) == written


def test_the_head_is_the_length_and_the_last_digest(database: Database, unit_as: Units) -> None:
    assert head_of(unit_as) == ChainHead(0, audit.GENESIS_DIGEST, None)
    fill(unit_as)
    with unit_as("admin") as unit:
        last = store.list_entries(unit.session, unit.caller.project, 4, 1)[0]
    assert head_of(unit_as) == ChainHead(5, last.digest, last.at)


def test_a_chain_that_grew_contains_every_earlier_head(database: Database, unit_as: Units) -> None:
    heads = [head_of(unit_as)]
    for _ in range(3):
        fill(unit_as, 2)
        heads.append(head_of(unit_as))
    assert [verify(unit_as, head=head) for head in heads] == [ChainVerification(6, None, None)] * 4


@pytest.mark.parametrize("kept_rows", [0, 1, 3])
def test_a_cut_tail_with_a_lowered_counter_is_found_by_a_kept_head(
    database: Database, unit_as: Units, clock: ManualClock, kept_rows: int
) -> None:
    fill(unit_as)
    head = head_of(unit_as)
    tamper(database, f"DELETE FROM audit WHERE sequence > {kept_rows}", f"UPDATE project SET audit_sequence = {kept_rows}")
    assert verify(unit_as) == ChainVerification(kept_rows, None, None)
    reason = "rows are missing at the end: the kept head is row 5"
    assert verify(unit_as, head=head) == ChainVerification(kept_rows, kept_rows + 1, reason)
    clock.move(seconds=1)
    fill(unit_as, 7)  # and grown past the kept head since
    assert verify(unit_as).broken_at is None
    assert verify(unit_as, head=head).broken_at == 5


def test_a_kept_head_of_no_rows_must_be_the_first_digest(unit_as: Units) -> None:
    assert verify(unit_as, head=ChainHead(0, audit.GENESIS_DIGEST, None)).broken_at is None
    assert verify(unit_as, head=ChainHead(0, "sha256:" + "1" * 64, None)).broken_at == 0


def test_a_chain_without_its_last_row_has_no_head(database: Database, unit_as: Units) -> None:
    fill(unit_as)
    tamper(database, "DELETE FROM audit WHERE sequence = 5")
    with pytest.raises(Conflict, match="the last row of the audit chain, 5, is missing"):
        head_of(unit_as)


@pytest.mark.parametrize("statement", ["TRUNCATE audit", "TRUNCATE audit CASCADE", "TRUNCATE project CASCADE"])
def test_postgresql_refuses_to_truncate_the_chain(database: Database, unit_as: Units, statement: str) -> None:
    fill(unit_as, 1)
    if database.dialect == "sqlite":
        statement = "DELETE FROM audit"  # what SQLite executes as a truncation where no trigger is
    with pytest.raises(Exception, match="is append-only"), database.write() as session:
        session.connection().execute(text(statement))
    assert verify(unit_as) == ChainVerification(1, None, None)


def test_a_row_of_the_chain_cannot_be_replaced(database: Database, unit_as: Units) -> None:
    """SQLite's REPLACE deletes the old row without its trigger, unless triggers are recursive."""
    fill(unit_as, 1)
    columns = "id, project_id, sequence, at, actor, action, subject, detail, previous, digest"
    row = "SELECT " + columns.replace(" actor", " 'nobody'") + " FROM audit"
    statement = f"INSERT OR REPLACE INTO audit ({columns}) {row}"
    if database.dialect == "postgresql":
        statement = f"INSERT INTO audit ({columns}) {row} ON CONFLICT (id) DO UPDATE SET actor = excluded.actor"
    with pytest.raises(Exception, match="is append-only"), database.write() as session:
        session.connection().execute(text(statement))
    assert verify(unit_as) == ChainVerification(1, None, None)


def test_the_head_and_the_verification_against_it_over_http(app: Any, api: Any, bearer: Any, unit_as: Units) -> None:
    fill(unit_as)
    admin = bearer("admin")
    head = api.get("/v1/audit/head", headers=admin).json()
    assert (head["project"], head["sequence"]) == ("default", 6)  # five rows and the admin's key
    stored_head = {"sequence": head["sequence"], "digest": head["digest"]}
    fill(unit_as, 1)
    assert api.get("/v1/audit/verify", params=stored_head, headers=admin).json() == {
        "rows": 7,
        "broken_at": None,
        "reason": None,
    }
    forged = {**stored_head, "digest": "sha256:" + "0" * 64}
    assert api.get("/v1/audit/verify", params=forged, headers=admin).json()["broken_at"] == 6
    assert api.get("/v1/audit/head", headers=bearer("author")).status_code == 403


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"sequence": 1}, "digest"),
        ({"digest": "sha256:" + "0" * 64}, "sequence"),
        ({"sequence": -1, "digest": "sha256:" + "0" * 64}, "sequence"),
        ({"sequence": 2**63, "digest": "sha256:" + "0" * 64}, "sequence"),
        ({"sequence": 1, "digest": "0"}, "digest"),
    ],
)
def test_half_a_head_or_no_head_is_refused(api: Any, bearer: Any, query: dict[str, Any], wrong: str) -> None:
    response = api.get("/v1/audit/verify", params=query, headers=bearer("admin"))
    assert response.status_code == 422
    assert wrong in [error["path"] for error in response.json()["errors"]]
