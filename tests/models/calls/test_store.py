"""Cached responses in both databases."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from promptuary.access.credentials import local_caller
from promptuary.core.database import Database
from promptuary.models.calls.store import cached_responses, delete_responses, write_responses


@pytest.fixture
def project(database: Database, clock: Any) -> int:
    """The project of this machine itself."""
    return local_caller(database, clock()).project


@pytest.fixture
def stored(database: Database, project: int, clock: Any) -> Database:
    """A database with two responses, one of them an hour old."""
    with database.write() as session:
        write_responses(session, project, {"old": {"text": "a"}}, clock() - timedelta(hours=1))
        write_responses(session, project, {"new": {"text": "b", "usage": {"input": 1}}}, clock())
    return database


def read(database: Database, project: int, since: datetime, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    with database.read() as session:
        return cached_responses(session, project, keys, since)


def test_the_responses_of_the_keys_are_read_that_are_young_enough(stored: Database, project: int, clock: Any) -> None:
    new = {"new": {"text": "b", "usage": {"input": 1}}}
    assert read(stored, project, clock() - timedelta(hours=2), ["old", "new", "absent"]) == {"old": {"text": "a"}, **new}
    assert read(stored, project, clock() - timedelta(minutes=1), ["old", "new"]) == new
    assert read(stored, project + 1, clock() - timedelta(hours=2), ["old", "new"]) == {}
    assert read(stored, project, clock() - timedelta(hours=2), []) == {}


def test_a_response_replaces_the_one_of_its_key_with_a_new_time(stored: Database, project: int, clock: Any) -> None:
    with stored.write() as session:
        write_responses(session, project, {"old": {"text": "c"}}, clock())
    assert read(stored, project, clock(), ["old", "new"])["old"] == {"text": "c"}


def test_old_responses_are_deleted_and_counted(stored: Database, project: int, clock: Any) -> None:
    with stored.write() as session:
        assert delete_responses(session, project, clock() - timedelta(minutes=1)) == 1
    assert list(read(stored, project, clock() - timedelta(hours=2), ["old", "new"])) == ["new"]
