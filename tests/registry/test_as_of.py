"""Lookups as of a time in the past, archived prompts, and their events."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, InvalidRequest, NotFound
from promptuary.prompt.content import Content
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry
from promptuary.registry.store import PromptFilter

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]


def register(unit_as: Units, words: str, *labels: str, name: str = "p") -> None:
    with unit_as("author") as unit:
        Registry(unit).register(name, Content(type="text", template=words), labels=labels)


def looked_up(unit_as: Units, **by: Any) -> tuple[int, tuple[str, ...]]:
    with unit_as("viewer") as unit:
        version = Registry(unit).lookup("p", **by).version
        return version.number, version.labels


def events(unit: UnitOfWork, after: int = 0) -> list[tuple[int, EventKind, str]]:
    listed = event_store.list_events(unit.session, unit.caller.project, after, 100)
    return [(event.revision, event.kind, event.prompt) for event in listed]


def test_a_lookup_as_of_a_moment_answers_what_it_would_have_then(unit_as: Units, clock: Any) -> None:
    moments: list[datetime] = []
    expected: list[tuple[int, tuple[str, ...]]] = []
    register(unit_as, "one", "production")
    for act in (
        lambda unit: Registry(unit).register("p", Content(type="text", template="two"), labels=("staging",)),
        lambda unit: Labels(unit).move("p", "production", 2, "better"),
        lambda unit: Labels(unit).split("p", "production", [(1, 1.0), (2, 1.0)], "or not"),
        lambda unit: Labels(unit).roll_back("p", "production", "it is"),
    ):
        moments.append(clock())
        expected.append(looked_up(unit_as))
        clock.move(minutes=1)
        with unit_as("author") as unit:
            act(unit)
    assert [looked_up(unit_as, as_of=at) for at in moments] == expected
    assert looked_up(unit_as, as_of=moments[0], label="latest") == (1, ("production",))
    assert looked_up(unit_as, as_of=clock()) == looked_up(unit_as)
    with unit_as("viewer") as unit:
        split = [Registry(unit).lookup("p", as_of=at, targeting_key="x").split is not None for at in moments]
    assert split == [False, False, False, True]
    with unit_as("viewer") as unit, pytest.raises(NotFound, match=r"has no label 'staging' at 2026-03-02T12:00:00.000000Z"):
        Registry(unit).lookup("p", label="staging", as_of=moments[0])


def test_a_version_that_was_not_there_yet_is_not_found_as_of_then(unit_as: Units, clock: Any) -> None:
    before = clock()
    clock.move(hours=1)
    register(unit_as, "one", "production")
    then = clock()
    clock.move(hours=1)
    register(unit_as, "two")
    with unit_as("viewer") as unit:
        registry = Registry(unit)
        with pytest.raises(NotFound, match="had no version at 2026-03-02T12:00"):
            registry.lookup("p", as_of=before)
        with pytest.raises(NotFound, match="has no version 2; its newest is 1"):
            registry.lookup("p", version=2, as_of=then)
        assert registry.lookup("p", version=1, as_of=then).version.number == 1
        with pytest.raises(InvalidRequest, match="in the future"):
            registry.lookup("p", as_of=clock.move(seconds=1).replace(year=2030))


def test_an_archived_prompt_is_hidden_and_comes_back_as_it_was(unit_as: Units, clock: Any) -> None:
    register(unit_as, "one", "production")
    at_work = clock()
    clock.move(minutes=1)
    with unit_as("author") as unit:
        registry = Registry(unit)
        assert registry.archive("p", "not used").archived_at == clock()
        before = audit.verify_chain(unit.session, unit.caller.project).rows
        registry.archive("p", "again")
        assert audit.verify_chain(unit.session, unit.caller.project).rows == before
        assert registry.prompts(9, None).items == []
        assert [prompt.name for prompt in registry.prompts(9, None, PromptFilter(archived=True)).items] == ["p"]
        for label in ("production", "latest"):
            with pytest.raises(NotFound, match="the prompt 'p' is archived"):
                registry.lookup("p", label=label)
        assert registry.lookup("p", version=1).version.number == 1
        assert registry.lookup("p", as_of=at_work).version.number == 1
        with pytest.raises(NotFound, match="archived"):
            registry.lookup("p", as_of=clock())
        for change in (
            lambda: registry.register("p", Content(type="text", template="two")),
            lambda: Labels(unit).move("p", "production", 1, ""),
            lambda: Labels(unit).roll_back("p", "production", ""),
        ):
            with pytest.raises(Conflict, match="the prompt 'p' is archived; restore it first"):
                change()
    with unit_as("author") as unit:
        assert Registry(unit).restore("p", "used after all").archived_at is None
    assert looked_up(unit_as) == (1, ("production",))
    with unit_as("author") as unit, pytest.raises(NotFound, match="there is no prompt 'q'"):
        Registry(unit).archive("q", "")


def test_every_change_is_one_event_under_the_projects_next_revision(unit_as: Units) -> None:
    register(unit_as, "one", "production", "staging")
    register(unit_as, "one", "production")  # changes nothing
    register(unit_as, "other", name="q")
    with unit_as("author") as unit:
        Registry(unit).archive("p", "")
        Registry(unit).restore("p", "")
        Labels(unit).move("p", "production", 1, "confirmed")
    with unit_as("viewer") as unit:
        assert events(unit) == [
            (1, EventKind.VERSION_CREATED, "p"),
            (2, EventKind.LABEL_MOVED, "p"),
            (3, EventKind.LABEL_MOVED, "p"),
            (4, EventKind.VERSION_CREATED, "q"),
            (5, EventKind.PROMPT_ARCHIVED, "p"),
            (6, EventKind.PROMPT_RESTORED, "p"),
            (7, EventKind.LABEL_MOVED, "p"),
        ]
        assert events(unit, after=5) == events(unit)[5:]
        assert Registry(unit).lookup("p").revision == 7
        assert Registry(unit).lookup("q", version=1).revision == 4


def test_projects_count_their_events_by_themselves(unit_as: Units) -> None:
    register(unit_as, "one")
    with unit_as("author", "another") as unit:
        Registry(unit).register("z", Content(type="text", template="z"))
        assert events(unit) == [(1, EventKind.VERSION_CREATED, "z")]


def test_prompts_are_listed_by_label_and_by_the_tags_of_their_newest_version(unit_as: Units) -> None:
    with unit_as("author") as unit:
        registry = Registry(unit)
        registry.register("a", Content(type="text", template="1"), tags=("billing", "old"))
        registry.register("a", Content(type="text", template="2"), tags=("billing", "new"))
        registry.register("b", Content(type="text", template="1"), tags=("old",), labels=("staging",))
        assert [prompt.name for prompt in registry.prompts(9, None, PromptFilter(tag="billing")).items] == ["a"]
        assert [prompt.name for prompt in registry.prompts(9, None, PromptFilter(tag="old")).items] == ["b"]
        assert [prompt.name for prompt in registry.prompts(9, None, PromptFilter(label="staging")).items] == ["b"]
        assert registry.prompts(1, None).items[0].tags == ("billing", "new")
