"""Families of promptfoo tests, translated and scored: each verdict is promptfoo 0.121.20's, an error is an error."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from factories.scorers import NO_MODELS
from paths import GOLDEN, SHARED
from promptuary.evaluation.promptfoo.translation import translate
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import ScorerInput, run_scorer

FAMILIES = ("json-schema", "contains-json", "equals-values", "regex-unicode")


def family_cases(name: str) -> list[Any]:
    tests = json.loads((GOLDEN / "promptfoo-families" / f"{name}.json").read_text(encoding="utf-8"))["tests"]
    return [pytest.param(test, id=f"{name}-{number}") for number, test in enumerate(tests)]


def judge(test: dict[str, Any], folder: Path) -> CombinedScore:
    """Translate a file of one test, and score the text of `{{out}}`, which the echo model returns."""
    fields = {name: value for name, value in test.items() if name != "expected"}
    path = folder / "promptfooconfig.yaml"
    path.write_text(json.dumps({"prompts": ["{{out}}"], "providers": ["echo"], "tests": [fields]}), encoding="utf-8")
    (case,) = translate(path).cases
    scorers = CaseScorers.build((), NO_MODELS)
    return asyncio.run(score_output(scorers, ScorerInput(case, test["vars"]["out"], cost=0.0), run_scorer))


@pytest.mark.parametrize("test", [case for family in FAMILIES for case in family_cases(family)])
def test_a_translated_test_has_the_verdict_of_promptfoo(test: dict[str, Any], tmp_path: Path) -> None:
    result, expected = judge(test, tmp_path), test["expected"]
    if expected.get("error"):
        assert (result.passed, result.score) == (None, None), result.labelled_scores
    else:
        assert (result.passed, result.score) == (expected["pass"], expected["score"]), result.labelled_scores


def test_the_families_are_those_of_the_captures_at_hand() -> None:
    for family in FAMILIES:
        capture = SHARED / "data" / "promptfoo-js" / f"{family}.json"
        if capture.exists():
            assert json.loads(capture.read_text()) == json.loads((GOLDEN / "promptfoo-families" / f"{family}.json").read_text())
