"""Cached responses in the database: found by their keys in their project, until they are too old."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.models.calls import store

Units = Callable[..., AbstractContextManager[UnitOfWork]]
BODIES = {"k1": {"text": "grüße", "cost": 1.5}, "k2": {"text": "", "tokens": None}, "k3": {"text": "c"}}


def test_one_read_returns_the_bodies_of_many_keys(unit_as: Units) -> None:
    with unit_as("operator") as unit:
        project, now = unit.caller.project, unit.clock()
        store.write_responses(unit.session, project, BODIES, now)
        read = [store.cached_responses(unit.session, project, keys, now) for keys in (["k1"], ["k2", "k3", "none"], [])]
    assert read == [{"k1": BODIES["k1"]}, {"k2": BODIES["k2"], "k3": BODIES["k3"]}, {}]


def test_a_response_that_is_too_old_or_another_projects_is_not_read(unit_as: Units) -> None:
    with unit_as("operator") as unit:
        project, now = unit.caller.project, unit.clock()
        store.write_responses(unit.session, project, {"old": {"text": "a"}}, now - timedelta(days=2))
        store.write_responses(unit.session, project, {"new": {"text": "b"}}, now)
        since = now - timedelta(days=1)
        assert store.cached_responses(unit.session, project, ["old", "new"], since) == {"new": {"text": "b"}}
        assert store.cached_responses(unit.session, project + 1, ["old", "new"], since) == {}
