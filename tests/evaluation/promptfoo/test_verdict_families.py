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


@pytest.mark.parametrize("inverse", ["", "not-"])
@pytest.mark.parametrize(
    ("assertion_type", "values"),
    [
        ("contains", [None, "", True, [], ["a"], {}]),
        ("icontains", [None, False, {"a": 1}]),
        ("contains-any", [None, "", 0, 5, True, {}]),
        ("contains-all", [None, 5, {}]),
        ("icontains-any", [None, True]),
        ("icontains-all", [None, 5]),
        ("starts-with", [None, "", 5, ["a"]]),
        ("regex", [None, "", 5, {}]),
        ("levenshtein", [None, 5, ["a"]]),
        ("rouge-n", [None, 5, ["a"]]),
        ("bleu", [None, 5, [5], {}]),
        ("gleu", [None, True, [None]]),
        ("finish-reason", [None, 5]),
    ],
)
def test_a_value_of_another_type_is_an_error_of_its_test(
    assertion_type: str, values: list[Any], inverse: str, tmp_path: Path
) -> None:
    for value in values:
        test = {"vars": {"out": "5 a"}, "assert": [{"type": inverse + assertion_type, "value": value}]}
        result = judge(test, tmp_path)
        assert (result.passed, result.score) == (None, None), value


@pytest.mark.parametrize(
    ("output", "items", "passed"),
    [
        ("null", [None], True),
        ("true", [True], True),
        ("[object Object]", [{"a": 1}], True),
        ("1,2", [[1, 2]], True),
        ("5", [5.0], True),
        ("x", [None, {}, "y"], False),
        ("x", [], False),
    ],
)
def test_the_items_of_a_list_are_texts_as_javascript_writes_them(
    output: str, items: list[Any], passed: bool, tmp_path: Path
) -> None:
    result = judge({"vars": {"out": output}, "assert": [{"type": "contains-any", "value": items}]}, tmp_path)
    assert result.passed is passed


def test_the_families_are_those_of_the_captures_at_hand() -> None:
    for family in FAMILIES:
        capture = SHARED / "data" / "promptfoo-js" / f"{family}.json"
        if capture.exists():
            assert json.loads(capture.read_text()) == json.loads((GOLDEN / "promptfoo-families" / f"{family}.json").read_text())
