"""The registry compared with a model in plain Python: after any operations in any order, both agree."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from factories.conditions import if_match
from promptuary.access import audit
from promptuary.access.credentials import local_caller
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.database import Database
from promptuary.core.errors import Conflict, NotFound, PreconditionFailed
from promptuary.core.settings import Settings
from promptuary.prompt.content import Content
from promptuary.prompt.split import divide
from promptuary.registry.events.event_store import list_events
from promptuary.registry.label_store import Label, LabelTarget
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry


@dataclass
class Expected:
    """One prompt in the model."""

    texts: list[str] = field(default_factory=list)
    moves: dict[str, list[LabelTarget | None]] = field(default_factory=dict)
    stacks: dict[str, list[LabelTarget | None]] = field(default_factory=dict)
    archived: bool = False

    def labels(self) -> dict[str, LabelTarget]:
        return {label: target for label, moves in self.moves.items() if (target := moves[-1]) is not None}

    def move(self, label: str, target: LabelTarget | None) -> None:
        self.moves.setdefault(label, []).append(target)
        stack = self.stacks.setdefault(label, [])
        if stack[-1:] != [target]:
            stack.append(target)

    def without_present(self, label: str) -> list[LabelTarget | None]:
        """Return the stack of a label with the target of a rollback on top; empty where there is none."""
        *stack, present = self.stacks.get(label, [None])
        while stack and stack[-1] in (None, present):
            stack.pop()
        return stack


names = st.sampled_from(["a", "b.c"])
labels = st.sampled_from(["production", "staging"])
texts = st.sampled_from(["one", "two", "three"])
numbers = st.integers(1, 4)
weights = st.lists(st.tuples(numbers, st.sampled_from([1.0, 5.0, 90.0])), min_size=2, max_size=3, unique_by=lambda arm: arm[0])
Snapshot = dict[str, dict[str, LabelTarget]]


class RegistryMachine(RuleBasedStateMachine):
    """Does the same to the registry and to the model."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        shutil.copy(self.template, self.folder)
        self.database = Database(f"sqlite:///{self.folder}/{self.template.name}")
        self.expected: dict[str, Expected] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.writes = 0
        self.now = datetime(2026, 3, 2, tzinfo=UTC)
        self.past: list[tuple[datetime, Snapshot]] = []

    def teardown(self) -> None:
        self.database.dispose()
        shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def unit(self) -> Iterator[Registry]:
        self.now += timedelta(seconds=1)
        now = self.now
        caller = local_caller(self.database, now)
        with self.database.write() as session:
            yield Registry(UnitOfWork(session, caller, lambda: now, Settings()))

    @rule(name=names, text=texts, new_labels=st.sets(labels))
    def register(self, name: str, text: str, new_labels: set[str]) -> None:
        prompt = self.expected.get(name, Expected())
        try:
            with self.unit() as registry:
                registration = registry.register(name, Content(type="text", template=text), labels=tuple(sorted(new_labels)))
        except Conflict:
            assert prompt.archived
            return
        assert not prompt.archived
        self.expected[name] = prompt
        assert registration.created is (not prompt.texts or prompt.texts[-1] != text)
        if registration.created:
            prompt.texts.append(text)
            self.writes += 1
        assert registration.version.number == len(prompt.texts)
        for label in new_labels:
            target = LabelTarget(len(prompt.texts))
            if prompt.labels().get(label) != target:
                prompt.move(label, target)
                self.writes += 1

    @rule(name=names, label=labels, number=numbers, stale=st.booleans())
    def move(self, name: str, label: str, number: int, stale: bool) -> None:
        expected = self.seen.get((name, label)) if stale else None
        self.moved(name, label, LabelTarget(number), [number], stale, lambda: self.labels_move(name, label, number, expected))

    @rule(name=names, label=labels, arms=weights, stale=st.booleans())
    def split(self, name: str, label: str, arms: list[tuple[int, float]], stale: bool) -> None:
        expected = self.seen.get((name, label)) if stale else None
        now = self.expected[name].labels().get(label) if name in self.expected else None
        split = divide(f"{name}/{label}", arms, now and (now.split or now.version))
        target = LabelTarget(arms[0][0], split)
        self.moved(
            name, label, target, [number for number, _ in arms], stale, lambda: self.labels_split(name, label, arms, expected)
        )

    def labels_move(self, name: str, label: str, number: int, expected: int | None) -> Label:
        with self.unit() as registry:
            return Labels(registry.unit).move(name, label, number, "because", if_match(expected))

    def labels_split(self, name: str, label: str, arms: list[tuple[int, float]], expected: int | None) -> Label:
        with self.unit() as registry:
            return Labels(registry.unit).split(name, label, arms, "because", if_match(expected))

    def moved(
        self, name: str, label: str, target: LabelTarget, numbers: list[int], stale: bool, act: Callable[[], Label]
    ) -> None:
        """Move a label both here and there; both must refuse alike."""
        prompt = self.expected.get(name)
        try:
            moved = act()
        except NotFound:
            assert prompt is None or max(numbers) > len(prompt.texts)
        except Conflict:
            assert prompt is not None
            assert prompt.archived
        except PreconditionFailed:
            assert stale
        else:
            assert prompt is not None
            assert moved.target == target
            prompt.move(label, target)
            self.seen[name, label] = moved.revision
            self.writes += 1

    @rule(name=names, label=labels)
    def roll_back(self, name: str, label: str) -> None:
        prompt = self.expected.get(name)
        moves = prompt.moves.get(label, []) if prompt else []
        stack = prompt.without_present(label) if prompt else []
        try:
            with self.unit() as registry:
                back = Labels(registry.unit).roll_back(name, label, "worse")
        except NotFound:
            assert not moves
        except Conflict:
            assert prompt is not None
            assert prompt.archived or (moves and not stack)
        else:
            assert prompt is not None
            assert [back.target] == stack[-1:]
            moves.append(back.target)
            prompt.stacks[label] = stack
            self.seen[name, label] = back.revision
            self.writes += 1

    @rule(name=names, label=labels, stale=st.booleans())
    def remove(self, name: str, label: str, stale: bool) -> None:
        prompt = self.expected.get(name)
        condition = if_match(self.seen.get((name, label)) if stale else None)
        try:
            with self.unit() as registry:
                Labels(registry.unit).remove(name, label, "no longer", condition)
        except NotFound:
            assert prompt is None or label not in prompt.labels()
        except Conflict:
            assert prompt is not None
            assert prompt.archived
        except PreconditionFailed:
            assert stale
        else:
            assert prompt is not None
            prompt.move(label, None)
            self.writes += 1

    @rule(name=names, hide=st.booleans())
    def archive(self, name: str, hide: bool) -> None:
        prompt = self.expected.get(name)
        try:
            with self.unit() as registry:
                (registry.archive if hide else registry.restore)(name, "because")
        except NotFound:
            assert prompt is None
        else:
            assert prompt is not None
            self.writes += prompt.archived is not hide
            prompt.archived = hide

    @rule()
    def remember(self) -> None:
        """Record the targets of all labels, to look them up as of now later."""
        targets = {name: prompt.labels() for name, prompt in self.expected.items() if not prompt.archived}
        self.past.append((self.now, targets))

    @invariant()
    def registry_and_model_agree(self) -> None:
        with self.unit() as registry:
            listed = registry.prompts(100, None).items
            assert {prompt.name: (prompt.newest, prompt.labels) for prompt in listed} == {
                name: (len(prompt.texts), {label: target.version for label, target in prompt.labels().items()})
                for name, prompt in self.expected.items()
                if not prompt.archived
            }
            for name, prompt in self.expected.items():
                versions = registry.versions(name, 100, None).items
                assert [version.content["template"] for version in versions] == prompt.texts[::-1]
                for label, moves in prompt.moves.items():
                    history = Labels(registry.unit).history(name, label, 100, None).items
                    assert [move.target for move in history] == moves[::-1]
                    assert [move.previous for move in history] == [
                        *(move and move.version for move in moves[:-1][::-1]),
                        None,
                    ]
                    if not prompt.archived and moves[-1] is not None:
                        result = registry.lookup(name, label=label, targeting_key="somebody")
                        assert result.version.number == self.meant(moves[-1])
                    elif not prompt.archived:
                        with pytest.raises(NotFound, match=f"has no label '{label}'"):
                            registry.lookup(name, label=label)

    @invariant()
    def past_lookups_do_not_change(self) -> None:
        with self.unit() as registry:
            for at, targets in self.past:
                for name, labels_then in targets.items():
                    for label, target in labels_then.items():
                        result = registry.lookup(name, label=label, targeting_key="somebody", as_of=at)
                        assert result.version.number == self.meant(target)
                    for label in {"production", "staging"} - labels_then.keys():
                        with pytest.raises(NotFound):
                            registry.lookup(name, label=label, as_of=at)

    @staticmethod
    def meant(target: LabelTarget) -> int:
        return target.split.arm("somebody").version if target.split else target.version

    @invariant()
    def every_write_is_audited_and_is_an_event(self) -> None:
        with self.unit() as registry:
            unit = registry.unit
            chain = audit.verify_chain(unit.session, unit.caller.project)
            events = list_events(unit.session, unit.caller.project, 0, 1000)
        assert (chain.rows, chain.broken_at) == (self.writes, None)
        assert [event.revision for event in events] == list(range(1, self.writes + 1))


def test_the_registry_does_what_the_model_says(migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RegistryMachine, "template", migrated_file, raising=False)
    run_state_machine_as_test(RegistryMachine, settings=hypothesis_settings(max_examples=12, stateful_step_count=15))
