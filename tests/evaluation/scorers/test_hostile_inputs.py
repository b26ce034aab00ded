"""Odd and hostile outputs and values over every type of scorer: always a result, and never a pass with an error."""

import asyncio
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls import ModelReply

RUN_ELSEWHERE = ("javascript", "python", "webhook", "assert-set", "select-best")
"""Types that start processes, call other hosts, or have other scorers or outputs inside."""
TYPES = sorted(set(scorer_types()) - set(RUN_ELSEWHERE))
VALUES: dict[str, Any] = {
    "cost": None,
    "is-json": {"type": ["object", "array", "string"]},
    "contains-json": {"type": "object", "required": ["a"]},
    "word-count": {"min": 1, "max": 50},
    "token-count": 5,
    "retrieval-recall": ["d1"],
    "is-sql": {"databaseType": "mysql", "allowedTables": ["select::null::t"]},
    "is-xml": ["a.b"],
    "trajectory:tool-sequence": ["t"],
    "trajectory:tool-args-match": {"name": "t", "args": {}},
    "trajectory:step-count": {"max": 3},
}
ODD_TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(min_codepoint=0xD7F0, max_codepoint=0x10FFFF), max_size=10),
    st.sampled_from(
        [
            *("", " ", "null", "undefined", "NaN", "1e999", "-0", "[" * 3000, "{" * 300, "{}" * 100, "\x00", "\ud83d", "{{x}}"),
            *(
                '{"a":',
                '{"a": 1e999}',
                "<a>" * 500,
                "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                "SELECT 1; DROP TABLE t",
                "```" * 50,
            ),
            *('[{"function": {"name": 5}}]', '{"tool_calls": [null]}', "(" * 500, "MCP Tool Error", "9" * 5000, "a\u2028b"),
        ]
    ),
)
ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | ODD_TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "min", "type", "$ref", "pattern"]), inner)
    ),
    max_leaves=5,
)


def no_numbers(texts: Any) -> Any:
    return np.full((len(texts), 3), math.nan)


async def silent_judge(*_: Any, **__: Any) -> ModelReply:
    return ModelReply("no verdict")


DEPENDENCIES = ScorerDependencies(embed=no_numbers, ask=silent_judge)


def create_spec(name: str, value: Any) -> ScorerSpec:
    scorer_type = scorer_types()[name.removeprefix("not-")]
    fields: dict[str, Any] = {"type": name, "model": "openai:judge"} if scorer_type.judged else {"type": name}
    if scorer_type.threshold is not None and scorer_type.threshold.required:
        fields["threshold"] = 1
    return ScorerSpec.model_validate(fields if value is None else {**fields, "value": value})


def result_of(spec: ScorerSpec, output: str) -> Score:
    return asyncio.run(run_scorer(build_scorer(spec, DEPENDENCIES), ScorerInput(Case("c", {"x": "y"}), output)))


def check_result(result: Score) -> None:
    """Check that a result is a verdict with a score, or an error and neither."""
    assert isinstance(result, Score)
    if result.error is None:
        assert isinstance(result.passed, bool)
        assert result.score is not None
        assert 0 <= result.score <= 1
    else:
        assert (result.passed, result.score) == (None, None)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(output=ODD_TEXTS)
def test_every_output_has_a_verdict_or_an_error(name: str, output: str) -> None:
    scorer_type = scorer_types()[name]
    value = VALUES.get(name, None if scorer_type.value_error(None) is None and name != "equals" else "x")
    prefixes = ("", "not-") if scorer_type.invertible else ("",)
    results = [result_of(create_spec(prefix + name, value), output) for prefix in prefixes]
    for result in results:
        check_result(result)
    errors = {result.error is None for result in results}
    assert len(errors) == 1, "an error of a type is one with not- too"


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(value=ODD_VALUES)
def test_every_value_is_refused_or_scores(name: str, value: Any) -> None:
    try:
        spec = create_spec(name, value)
    except ValidationError:
        return
    check_result(result_of(spec, '{"a": 1} x'))


@pytest.mark.parametrize("name", sorted(name for name in TYPES if scorer_types()[name].judged))
def test_a_judge_without_a_verdict_passes_nothing(name: str) -> None:
    for prefix in ("", "not-"):
        value = None if scorer_types()[name].value_error(None) is None else "x"
        assert result_of(create_spec(prefix + name, value), "x").passed is None


def test_an_embedding_without_numbers_passes_nothing() -> None:
    for name in ("similar", "not-similar"):
        assert "no numbers" in (result_of(create_spec(name, "x"), "x").error or "")


@pytest.mark.parametrize("returned", [None, "pass", True, {"pass": True}])
def test_a_plug_in_that_returns_no_score_is_an_error(returned: Any) -> None:
    class Odd(BaseScorer):
        async def score(self, sample: ScorerInput) -> Score:
            return returned  # type: ignore[no-any-return]  # what the test is about

    check_result(result := asyncio.run(run_scorer(Odd("odd", 1.0, False), ScorerInput(Case("c", {}), "x"))))
    assert "returned no score" in (result.error or "")


@pytest.mark.parametrize(
    ("passed", "score"), [("false", 1.0), (1, 1.0), (True, math.nan), (True, 1.5), (None, 1.0), (True, None)]
)
def test_a_verdict_has_a_boolean_and_a_number(passed: Any, score: Any) -> None:
    with pytest.raises(ValueError, match="returned no verdict with a score"):
        Score("odd", passed, score, "")
