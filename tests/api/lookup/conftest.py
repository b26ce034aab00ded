"""Fixtures of the lookup's tests: prompts of every kind, both ways through the app, and another process's database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from doubles.eventually import eventually
from factories.lookup_paths import Bearer, LookupPaths, RawHeaders, Units, authorized, register
from promptuary.access.credentials import local_caller
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Database
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry


@pytest.fixture
def paths(app: Any, api: Any) -> LookupPaths:
    return LookupPaths(app, api.portal)


@pytest.fixture
def prompts(unit_as: Units, app: Any) -> Units:
    """Prompts of every kind in the project `default`, one of the same name in `shop`; the app's change feed knows both."""
    with unit_as("operator") as unit:
        register(unit, "tone", "Be kind. ✓", "production")
        register(unit, "greet", "{{> tone}} Hi {{name}}", "production")
        register(unit, "greet", "{{> tone@1}} Hello {{name}}", "staging")
        for number in range(1, 4):
            register(unit, "divided", f"arm {number}", "production")
        for label in ("production", "beta"):
            Labels(unit).split("divided", label, [(1, 20.0), (2, 30.0), (3, 50.0)], "a trial")
        register(unit, "hidden", "gone", "production")
        Registry(unit).archive("hidden", "old")
        register(unit, "unlabelled", "draft")
    with unit_as("operator", "shop") as unit:
        register(unit, "greet", "Welcome", "production")
        project = unit.caller.project
    assert eventually(lambda: app.services.change_feed.revisions(project) is not None)
    return unit_as


@pytest.fixture
def headers(bearer: Bearer) -> RawHeaders:
    return authorized(bearer("reader"))


@pytest.fixture
def other_process(
    prompts: Units, opened_database: Database, clock: Any, settings: Any
) -> Iterator[Callable[[], AbstractContextManager[UnitOfWork]]]:
    """Units of work of another process on the same database, as an operator of the project `default`."""
    database = opened_database.with_own_connections(2)

    @contextmanager
    def unit() -> Iterator[UnitOfWork]:
        caller = local_caller(database, clock())
        with database.write() as session:
            yield UnitOfWork(session, caller, clock, settings)

    yield unit
    database.dispose()
