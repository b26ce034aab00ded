"""Scorers and their rules of combination against promptfoo 0.121.20, case by case: on our own cases, and on others at hand."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from paths import GOLDEN, SHARED
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, run_scorer

OWN = GOLDEN / "promptfoo-scorers.json"
OTHERS = SHARED / "reference" / "promptfoo-cases.json"


def cases(path: Path) -> list[Any]:
    tests = json.loads(path.read_text())["tests"] if path.exists() else []
    return [pytest.param(test, id=f"{number}") for number, test in enumerate(tests)]


def nobody(*_: Any, **__: Any) -> Any:
    raise AssertionError("these scorers ask nobody")


async def answer(scorer: Scorer, sample: ScorerInput) -> Score:
    return await run_scorer(scorer, sample)


def judge(test: dict[str, Any]) -> CombinedScore:
    """Score the text of `{{out}}`, which the echo model returns."""
    fields = {name: test[name] for name in ("vars", "threshold") if name in test}
    case = CaseIn.model_validate({"id": "c", **fields, "assert": [_named(spec) for spec in test.get("assert", ())]}).case()
    scorers = CaseScorers.build((), ScorerDependencies(embed=nobody, ask=nobody))
    return asyncio.run(score_output(scorers, ScorerInput(case, test["vars"]["out"], cost=0.0), answer))


def _named(spec: dict[str, Any]) -> dict[str, Any]:
    """Return an assert in our form: promptfoo's `metric` is a scorer's name."""
    inner = {"assert": [_named(nested) for nested in spec["assert"]]} if "assert" in spec else {}
    return {("name" if key == "metric" else key): value for key, value in spec.items()} | inner


@pytest.mark.parametrize("test", cases(OWN) + cases(OTHERS))
def test_a_case_has_the_verdict_of_promptfoo(test: dict[str, Any]) -> None:
    result, expected = judge(test), test["expected"] | test.get("ours", {})
    assert (result.passed, result.score) == (expected["pass"], pytest.approx(expected["score"], abs=1e-6)), (
        result.labelled_scores
    )
    assert result.metrics == pytest.approx(expected["namedScores"], abs=1e-6)


def test_the_cases_are_many_and_the_differences_few_and_listed() -> None:
    tests = json.loads(OWN.read_text())["tests"]
    differences = [test["ours"]["why"] for test in tests if "ours" in test]
    assert len(tests) > 1000
    assert len(differences) < 0.04 * len(tests)
    assert set(differences) == {
        "sqlglot and node-sql-parser differ in the dialect",
        "modifiers are taken: newer JavaScript has them",
        "a set of weight 0 fails nothing",
    }
