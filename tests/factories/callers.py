"""Callers: units of work by role, API keys and the headers that carry them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from factories.clock import ManualClock


@pytest.fixture
def unit_as(opened_database: Any, clock: ManualClock, settings: Any) -> Callable[..., AbstractContextManager[Any]]:
    """Open units of work: each is one transaction, committed at its end, and its caller has the role."""
    from promptuary.access import store
    from promptuary.access.role import Role
    from promptuary.access.unit_of_work import Caller, UnitOfWork

    with opened_database.write() as session:
        if store.find_project(session, "default") is None:
            store.add_project(session, "default", clock())

    @contextmanager
    def unit_of(role: str, project: str = "default") -> Iterator[UnitOfWork]:
        with opened_database.write() as session:
            home = store.find_project(session, project) or store.add_project(session, project, clock())
            yield UnitOfWork(session, Caller(home.id, home.name, f"key:{role}", Role(role)), clock, settings)

    return unit_of


@pytest.fixture
def key(unit_as: Callable[..., AbstractContextManager[Any]]) -> Callable[..., str]:
    """Make API keys: `key("author")` or `key("reader", "another-project", days=1)` returns the key's text."""
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService

    def make(role: str, project: str = "default", *, days: int | None = None) -> str:
        with unit_as("operator", project) as unit:
            return str(AccessService(unit).create_key(f"a {role}", Role(role), days)[1])

    return make


@pytest.fixture
def bearer(key: Callable[..., str]) -> Callable[..., dict[str, str]]:
    """Make the header of a request by a new key: `api.get(path, headers=bearer("reader"))`."""

    def header(role: str, project: str = "default", **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {key(role, project, **more)}"}

    return header
