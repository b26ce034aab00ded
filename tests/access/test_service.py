from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, SQLModel

from promptuary.access import store
from promptuary.access.api_key import generate_key
from promptuary.access.credentials import authenticate, local_caller
from promptuary.access.role import Role
from promptuary.access.service import AccessService
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Database
from promptuary.core.errors import AlreadyExists, Forbidden, NotAuthenticated, NotFound

Units = Callable[..., AbstractContextManager[UnitOfWork]]


def test_a_key_authenticates_for_its_project_with_its_role(database: Database, key: Callable[..., str], clock: Any) -> None:
    text_ = key("author", "shop")
    with database.read() as session:
        caller = authenticate(session, text_, clock())
    assert (caller.project_name, caller.role, caller.name) == ("shop", Role.AUTHOR, "key:a author")


def test_only_the_hash_of_a_key_is_stored(sqlite: Database, key: Callable[..., str]) -> None:
    secret = key("reader").split("_")[2]
    with sqlite.read() as session:
        rows = [str(session.connection().execute(table.select()).all()) for table in SQLModel.metadata.sorted_tables]
    assert "a reader" in "".join(rows)
    assert secret[:40] not in "".join(rows)


def test_malformed_unknown_expired_and_revoked_keys_are_refused_alike(
    database: Database, unit_as: Units, key: Callable[..., str], clock: Any
) -> None:
    good, expired, revoked = key("reader"), key("reader", days=1), key("reader")
    with unit_as("admin") as unit:
        AccessService(unit).revoke_key(revoked.split("_")[1])
    forged = good[:-1] + ("0" if good[-1] != "0" else "1")
    stolen_id = str(generate_key()).split("_")
    stolen_id[1] = good.split("_")[1]
    with database.read() as session:
        authenticate(session, expired, clock() + timedelta(days=1, microseconds=-1))
    clock.move(days=1)
    messages = set()
    for text_ in (expired, revoked, forged, "_".join(stolen_id), str(generate_key()), "nonsense", "", "pmt_\x00"):
        with database.read() as session, pytest.raises(NotAuthenticated) as raised:
            authenticate(session, text_, clock())
        messages.add(raised.value.message)
    assert len(messages) == 1


def test_a_key_ends_after_its_days(unit_as: Units, clock: Any) -> None:
    with unit_as("admin") as unit:
        created, _ = AccessService(unit).create_key("k", Role.READER, days=30)
    assert created.is_active(clock() + timedelta(days=30, microseconds=-1))
    assert not created.is_active(clock() + timedelta(days=30))


@pytest.mark.parametrize("role", [Role.READER, Role.CI, Role.AUTHOR, Role.ADMIN])
def test_an_admin_creates_keys_up_to_its_own_role(unit_as: Units, role: Role) -> None:
    with unit_as("admin") as unit:
        assert AccessService(unit).create_key("k", role)[0].role is role


def test_an_admin_creates_no_operators_key_and_none_for_another_project(unit_as: Units) -> None:
    with unit_as("admin", "shop"):
        pass
    with unit_as("admin") as unit:
        with pytest.raises(Forbidden, match="only an operator makes operators, and operators' keys"):
            AccessService(unit).create_key("k", Role.OPERATOR)
        with pytest.raises(Forbidden, match="for another project"):
            AccessService(unit).create_key("k", Role.READER, project_name="shop")
        with pytest.raises(Forbidden, match="for another project"):
            AccessService(unit).create_key("k", Role.READER, project_name="there-is-none")


def test_an_operator_creates_keys_for_any_existing_project(database: Database, unit_as: Units, clock: Any) -> None:
    with unit_as("operator") as unit:
        AccessService(unit).create_project("shop")
        _, created = AccessService(unit).create_key("k", Role.ADMIN, project_name="shop")
        with pytest.raises(NotFound, match="there is no project 'none'"):
            AccessService(unit).create_key("k", Role.ADMIN, project_name="none")
    with database.read() as session:
        assert authenticate(session, str(created), clock()).project_name == "shop"


def test_a_projects_name_is_taken_once(unit_as: Units) -> None:
    with unit_as("operator") as unit:
        AccessService(unit).create_project("shop")
        with pytest.raises(AlreadyExists, match="there is a project 'shop' already"):
            AccessService(unit).create_project("shop")


def test_a_key_is_revoked_in_its_own_project_only_and_once(
    database: Database, unit_as: Units, key: Callable[..., str], clock: Any
) -> None:
    id_ = key("reader", "shop").split("_")[1]
    with unit_as("admin") as unit, pytest.raises(NotFound, match=f"there is no key '{id_}'"):
        AccessService(unit).revoke_key(id_)
    for _ in range(2):
        with unit_as("admin", "shop") as unit:
            AccessService(unit).revoke_key(id_)
        clock.move(hours=1)
    with database.read() as session:
        actions = (
            session.connection().execute(text("SELECT action FROM audit WHERE subject = :id"), {"id": id_}).scalars().all()
        )
    assert actions == ["key.created", "key.revoked"]


def test_keys_and_projects_are_listed_in_pages(unit_as: Units, key: Callable[..., str]) -> None:
    ids = sorted(key("reader").split("_")[1] for _ in range(5))
    key("reader", "shop")
    with unit_as("operator") as unit:
        first = AccessService(unit).keys(3, None)
        second = AccessService(unit).keys(3, first.next_cursor)
        assert [api_key.id for api_key in (*first.items, *second.items)] == ids
        assert second.next_cursor is None
        names = AccessService(unit).projects(1, None)
        assert [project.name for project in names.items] == ["default"]
        assert [project.name for project in AccessService(unit).projects(9, names.next_cursor).items] == ["shop"]


def test_the_machines_operator_has_a_project_at_once(database: Database, clock: Any) -> None:
    for _ in range(2):
        caller = local_caller(database, clock(), "fresh")
        assert (caller.project_name, caller.role, caller.identity) == ("fresh", Role.OPERATOR, "local")


def test_every_change_of_a_projects_keys_is_counted_in_its_transaction(database: Database, unit_as: Units) -> None:
    """By this count every process knows that a key it has seen may have ended."""

    def count(project: str) -> int:
        with database.read() as session:
            return store.read_revisions(session, project_id(session, project)).access_revision

    def project_id(session: Session, project: str) -> int:
        row = store.find_project(session, project)
        assert row is not None
        return row.id

    counted = [count("default")]
    with unit_as("operator") as unit:
        _, text_ = AccessService(unit).create_key("one", Role.READER)
        counted.append(store.read_revisions(unit.session, unit.caller.project).access_revision)
    with unit_as("operator") as unit:
        AccessService(unit).create_project("shop")
        AccessService(unit).create_key("two", Role.READER, project_name="shop")
    counted.append(count("default"))
    for _ in range(2):
        with unit_as("operator") as unit:
            AccessService(unit).revoke_key(text_.id)
        counted.append(count("default"))
    assert counted == [1, 2, 2, 3, 3]
    assert count("shop") == 2
