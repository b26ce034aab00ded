"""The registry against a model of it in plain Python: whatever is done in whatever order, both tell the same."""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from promptuary.access import audit
from promptuary.access.caller import Unit
from promptuary.access.service import local_caller
from promptuary.base.database import Database
from promptuary.base.errors import Conflict, NotFound, PreconditionFailed
from promptuary.base.settings import Settings
from promptuary.prompt.content import Content
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry


@dataclass
class Expected:
    """One prompt as the model holds it."""

    texts: list[str] = field(default_factory=list)
    moves: dict[str, list[int]] = field(default_factory=dict)

    def labels(self) -> dict[str, int]:
        return {label: moves[-1] for label, moves in self.moves.items()}


names = st.sampled_from(["a", "b.c"])
labels = st.sampled_from(["production", "staging"])
texts = st.sampled_from(["one", "two", "three"])
numbers = st.integers(1, 4)


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

    def teardown(self) -> None:
        self.database.dispose()
        shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def unit(self) -> Iterator[Registry]:
        self.now += timedelta(seconds=1)
        now = self.now
        caller = local_caller(self.database, now)
        with self.database.write() as session:
            yield Registry(Unit(session, caller, lambda: now, Settings()))

    @rule(name=names, text=texts, given=st.sets(labels))
    def register(self, name: str, text: str, given: set[str]) -> None:
        with self.unit() as registry:
            made = registry.register(name, Content(type="text", template=text), labels=tuple(sorted(given)))
        prompt = self.expected.setdefault(name, Expected())
        assert made.created is (not prompt.texts or prompt.texts[-1] != text)
        if made.created:
            prompt.texts.append(text)
            self.writes += 1
        assert made.version.number == len(prompt.texts)
        for label in given:
            if prompt.labels().get(label) != len(prompt.texts):
                prompt.moves.setdefault(label, []).append(len(prompt.texts))
                self.writes += 1

    @rule(name=names, label=labels, number=numbers, stale=st.booleans())
    def move(self, name: str, label: str, number: int, stale: bool) -> None:
        expected = self.seen.get((name, label)) if stale else None
        prompt = self.expected.get(name)
        try:
            with self.unit() as registry:
                moved = Labels(registry.unit).move(name, label, number, "because", expected)
        except NotFound:
            assert prompt is None or number > len(prompt.texts)
        except PreconditionFailed:
            assert stale
        else:
            assert prompt is not None
            prompt.moves.setdefault(label, []).append(number)
            self.seen[name, label] = moved.revision
            self.writes += 1

    @rule(name=names, label=labels)
    def roll_back(self, name: str, label: str) -> None:
        moves = self.expected[name].moves.get(label) if name in self.expected else None
        before = [earlier for earlier, later in itertools.pairwise(moves or []) if earlier != later]
        try:
            with self.unit() as registry:
                back = Labels(registry.unit).roll_back(name, label, "worse")
        except NotFound:
            assert moves is None
        except Conflict:
            assert moves is not None
            assert before == []
        else:
            assert moves is not None
            assert back.version == before[-1]
            moves.append(back.version)
            self.seen[name, label] = back.revision
            self.writes += 1

    @invariant()
    def both_tell_the_same(self) -> None:
        with self.unit() as registry:
            listed = registry.prompts(100, None).items
            assert {prompt.name: (prompt.newest, prompt.labels) for prompt in listed} == {
                name: (len(prompt.texts), prompt.labels()) for name, prompt in self.expected.items()
            }
            for name, prompt in self.expected.items():
                versions = registry.versions(name, 100, None).items
                assert [version.content["template"] for version in versions] == prompt.texts[::-1]
                for label, moves in prompt.moves.items():
                    ledger = Labels(registry.unit).history(name, label, 100, None).items
                    assert [move.version for move in ledger] == moves[::-1]
                    assert [move.previous for move in ledger] == [*moves[:-1][::-1], None]
                    assert registry.lookup(name, label=label).version.number == moves[-1]

    @invariant()
    def every_write_is_audited(self) -> None:
        with self.unit() as registry:
            found = audit.verify(registry.unit.session, registry.unit.caller.project)
        assert (found.rows, found.broken_at) == (self.writes, None)


def test_the_registry_does_what_the_model_says(migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RegistryMachine, "template", migrated_file, raising=False)
    run_state_machine_as_test(RegistryMachine, settings=hypothesis_settings(max_examples=8, stateful_step_count=10))
