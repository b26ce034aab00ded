"""A run is cancelled when the key that submitted it is revoked, and not when that expires by itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from promptuary.access.people.service import PeopleService
from promptuary.access.role import Role
from promptuary.access.service import AccessService, KeyHolder
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Database
from promptuary.evaluation.execution.lease import REVOKED, RunLeases
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import NewRun, Run, RunState

Units = Callable[..., AbstractContextManager[UnitOfWork]]


@pytest.fixture
def leases(opened_database: Database, clock: Any) -> RunLeases:
    return RunLeases(opened_database, clock, 60.0, lambda ended, seconds: ended.is_set())


@pytest.fixture
def submit(unit_as: Units, plan_of: Callable[..., Any]) -> Callable[[str], str]:
    """Submit a run in the name of an identity; return its id."""

    def queue(identity: str) -> str:
        with unit_as("operator") as unit:
            run = NewRun("run_1", unit.caller.project, plan_of(2), identity, unit.clock())
            return store.add_run(unit.session, run).id

    return queue


def read(database: Database, run: str) -> Run:
    with database.read() as session:
        stored = store.get_run(session, run)
    assert stored is not None
    return stored


def test_the_waiting_run_of_a_revoked_key_is_cancelled(
    opened_database: Database, unit_as: Units, submit: Any, leases: RunLeases
) -> None:
    with unit_as("operator") as unit:
        key, _ = AccessService(unit).create_key("pipeline", Role.CI)
    run = submit(f"service:{key.id}")
    with unit_as("operator") as unit:
        AccessService(unit).revoke_key(key.id)
    assert leases.acquire("worker") is None
    cancelled = read(opened_database, run)
    assert (cancelled.state, cancelled.error) == (RunState.CANCELLED, REVOKED)


def test_the_lease_of_a_running_run_is_lost_when_its_key_is_revoked(
    opened_database: Database, unit_as: Units, submit: Any, leases: RunLeases
) -> None:
    with unit_as("operator") as unit:
        key, _ = AccessService(unit).create_key("pipeline", Role.CI)
    submit(f"service:{key.id}")
    run = leases.acquire("worker")
    assert run is not None
    with unit_as("operator") as unit:
        AccessService(unit).revoke_key(key.id)
    with leases.keep(run) as lost:
        assert lost.wait(20)
    assert read(opened_database, run.id).state is RunState.CANCELLED


def test_a_persons_run_is_cancelled_when_they_leave_and_not_with_one_key(
    opened_database: Database, unit_as: Units, submit: Any, leases: RunLeases
) -> None:
    with unit_as("operator") as unit:
        person = PeopleService(unit).create("Dana", Role.EDITOR)
        key, _ = AccessService(unit).create_key("laptop", Role.EDITOR, holder=KeyHolder(person.id))
    run = submit(f"person:{person.id}")
    with unit_as("operator") as unit:
        AccessService(unit).revoke_key(key.id)
    leased = leases.acquire("worker")
    assert leased is not None
    leases.release(leased)
    with unit_as("operator") as unit:
        PeopleService(unit).deactivate(person.id)
    assert leases.acquire("worker") is None
    assert read(opened_database, run).state is RunState.CANCELLED


def test_a_run_goes_on_when_its_key_expires(unit_as: Units, submit: Any, leases: RunLeases, clock: Any) -> None:
    with unit_as("operator") as unit:
        key, _ = AccessService(unit).create_key("pipeline", Role.CI, days=1)
    submit(f"service:{key.id}")
    clock.move(days=2)
    assert clock() - timedelta(days=1) > key.created_at
    assert leases.acquire("worker") is not None
