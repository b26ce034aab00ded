"""A scorer that never waits is run without a task, and has a mark for it."""

import asyncio
import dis
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from promptuary.evaluation import scorers
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput, score_at_once
from promptuary.evaluation.scorers.text.comparison import Contains, Equals
from promptuary.evaluation.scorers.value_template import parse_value

SAMPLE = ScorerInput(Case(id="c", vars={}), "one")


def scorer_classes() -> Iterator[type[BaseScorer]]:
    """Yield the classes of all scorers of the product."""
    for module in pkgutil.walk_packages(scorers.__path__, f"{scorers.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and issubclass(value, BaseScorer) and value.__module__ == module.name:
                yield value


def awaits(scorer: Any) -> bool:
    """Return whether a coroutine function has an `await`."""
    return any(instruction.opname == "SEND" for instruction in dis.get_instructions(scorer.score))


def test_scorers_that_never_wait_have_no_await() -> None:
    at_once = [scorer for scorer in scorer_classes() if not scorer.waits]
    assert {Equals, Contains} <= set(at_once)
    assert [scorer for scorer in at_once if awaits(scorer)] == []


def test_a_score_at_once_is_the_score_of_a_task() -> None:
    scorer = Equals("equals", 1.0, False, parse_value("one"))
    assert (
        score_at_once(scorer, SAMPLE)
        == asyncio.run(scorer.score(SAMPLE))
        == Score("equals", True, 1.0, "the output equals 'one'")
    )


def test_an_error_at_once_is_an_error_score() -> None:
    score = score_at_once(Contains("contains", 1.0, False, parse_value("{{expected}}"), "one", False), SAMPLE)
    assert score is not None
    assert score.passed is None
    assert "expected" in str(score.error)


def test_a_scorer_that_may_wait_is_not_run_at_once() -> None:
    @dataclass(frozen=True)
    class Waiting(BaseScorer):
        async def score(self, sample: ScorerInput) -> Score:
            raise AssertionError

    assert score_at_once(Waiting("waiting", 1.0, False), SAMPLE) is None


def test_a_scorer_that_waits_against_its_word_is_a_defect() -> None:
    @dataclass(frozen=True)
    class Liar(BaseScorer):
        waits: ClassVar[bool] = False

        async def score(self, sample: ScorerInput) -> Score:
            await asyncio.sleep(0)
            raise AssertionError

    with pytest.raises(AssertionError, match="the scorer 'liar' waits"):
        score_at_once(Liar("liar", 1.0, False), SAMPLE)
