"""Families of promptfoo tests with JavaScript, translated and scored: each verdict is promptfoo 0.121.20's."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from factories.promptfoo_families import family_cases, is_that_of_the_captures
from factories.scorers import no_model
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.per_case import CaseScorers, CombinedScore, score_output
from promptuary.evaluation.scorers.score import ScorerInput, run_scorer

pytestmark = pytest.mark.process

FAMILIES = (
    *("js-async", "js-body", "js-context", "js-error", "js-expression", "js-host-api", "js-mix", "js-result-object"),
    *("js-return-type", "js-score", "js-template", "js-unicode-regex"),
)
NOT_IN_THE_LANGUAGE = ("localeCompare", "Intl", "TextEncoder", "Buffer")


def judge(test: dict[str, Any], folder: Path, engine: JavaScriptEngine) -> CombinedScore:
    """Translate a file of one test, and score the text of `{{out}}`, which the echo model returns."""
    fields = {name: value for name, value in test.items() if name != "expected"}
    path = folder / "promptfooconfig.yaml"
    path.write_text(json.dumps({"prompts": ["{{out}}"], "providers": ["echo"], "tests": [fields]}))
    (case,) = translate(path).cases
    scorers = CaseScorers.build((), ScorerDependencies(no_model, no_model, javascript=engine))
    output = test["vars"]["out"]
    sample = ScorerInput(case, output, ({"role": "user", "content": output},), cost=0.0, model="echo:")
    return asyncio.run(score_output(scorers, sample, run_scorer))


@pytest.mark.parametrize("test", family_cases(*FAMILIES))
def test_a_test_with_javascript_has_the_verdict_of_promptfoo(
    test: dict[str, Any], tmp_path: Path, engine: JavaScriptEngine
) -> None:
    expected, code = test["expected"], json.dumps(test["assert"])
    if missing := next((name for name in NOT_IN_THE_LANGUAGE if name in code), None):
        with pytest.raises(UnsupportedParts, match="without which verdicts would change") as refused:
            judge(test, tmp_path, engine)
        assert any(f"`{missing}`" in error.message for error in refused.value.field_errors)
        return
    result = judge(test, tmp_path, engine)
    if expected.get("error"):
        assert (result.passed, result.score) == (None, None), result.labelled_scores
        return
    assert (result.passed, result.score) == (expected["pass"], _near(expected["score"])), result.labelled_scores
    assert result.metrics == {name: _near(score) for name, score in expected["namedScores"].items()}


def _near(score: float | None) -> Any:
    return None if score is None else pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_that_of_the_captures_at_hand(family: str) -> None:
    assert is_that_of_the_captures(family)
