import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.text.comparison import json_equal


def nothing(_: Any) -> Any:
    raise AssertionError("a scorer of text asks nobody")


def score(output: str, case: Case | None = None, **spec: Any) -> Score:
    scorer = build_scorer(ScorerSpec.model_validate(spec), ScorerDependencies(embed=nothing, ask=nothing))
    return asyncio.run(run_scorer(scorer, ScorerInput(case or Case("c", {}), output)))


FOX = "The quick brown fox jumps over the lazy dog"
CASES: list[tuple[str, str, Any, bool]] = [
    ("Paris", "equals", "Paris", True),
    ("", "equals", "", True),
    ("paris", "equals", "Paris", False),
    ("Paris\n", "equals", "Paris", False),
    ('{"b": 2, "a": 1.0}', "equals", {"a": 1, "b": 2}, True),
    ('{"b": 2, "a": 1}', "equals", '{"a": 1, "b": 2}', False),
    ('{"a": 1, "b": 2}', "equals", '{"a": 1, "b": 2}', True),
    ('{"a": true}', "equals", {"a": 1}, False),
    ("[1, 2]", "equals", [2, 1], False),
    ("no json", "equals", {"a": 1}, False),
    ("5", "equals", 5, True),
    ("5", "equals", 5.0, True),
    ("1.0", "equals", "1", False),
    ("true", "equals", True, True),
    (FOX, "contains", "quick", True),
    (FOX, "contains", "the quick", False),
    ("tel 555", "contains", 555, True),
    (FOX, "icontains", "QUICK", True),
    (FOX, "icontains", "cat", False),
    (FOX, "contains-any", ["cat", "dog"], True),
    (FOX, "contains-any", "cat, dog", True),
    (FOX, "contains-any", ["cat"], False),
    (FOX, "contains-any", "DOG", False),
    ("a, b", "contains-any", '"a, b", c', True),
    ("a b", "contains-any", '"a, b"', False),
    (FOX, "contains-all", ["quick", "dog"], True),
    (FOX, "contains-all", "quick, cat", False),
    (FOX, "icontains-any", ["CAT", "DOG"], True),
    (FOX, "icontains-any", ["CAT"], False),
    (FOX, "icontains-all", "QUICK, DOG", True),
    (FOX, "icontains-all", "QUICK, CAT", False),
    (FOX, "starts-with", "The", True),
    (FOX, "starts-with", "the", False),
    (FOX, "regex", "qu..k", True),
    (FOX, "regex", "^the", False),
    (FOX, "regex", "dog$", True),
    ("dog\n", "regex", "dog$", False),
    ("tel 555-1234", "regex", r"\d{3}-\d{4}", True),
    ("an \ud800 odd one", "regex", "odd", True),
]


@pytest.mark.parametrize(("output", "kind", "value", "holds"), CASES)
def test_what_holds_passes_with_one_and_not_turns_both(output: str, kind: str, value: Any, holds: bool) -> None:
    plain, turned = score(output, type=kind, value=value), score(output, type=f"not-{kind}", value=value)
    assert (plain.passed, plain.score, plain.error) == (holds, float(holds), None)
    assert (turned.passed, turned.score, turned.error) == (not holds, float(not holds), None)
    assert plain.reason == turned.reason != ""


CASE = Case("c", {"who": "Ada"}, expected="card_lost", metadata={"limits": [1, 2], "intent": "pin", "own": {"a": [1], "b": 2}})


@pytest.mark.parametrize(
    ("kind", "value", "output"),
    [
        ("equals", "{{expected}}", "card_lost"),
        ("equals", "{{who}}: {{metadata.intent}}", "Ada: pin"),
        ("equals", {"name": "{{who}}", "n": 1}, '{"n": 1, "name": "Ada"}'),
        ("contains-all", ["{{who}}", "{{expected}}"], "Ada: card_lost"),
        ("equals", "{{metadata.own}}", '{"b": 2, "a": [1.0]}'),
        ("contains-all", "{{metadata.limits}}", "1 and 2"),
        ("regex", "^{{who}}$", "Ada"),
        ("contains", "{{nobody}}A", "Ada"),
    ],
)
def test_a_value_is_filled_from_the_case(kind: str, value: Any, output: str) -> None:
    assert score(output, CASE, type=kind, value=value).passed is True
    assert score("something else", CASE, type=kind, value=value).passed is False


def test_a_tag_in_a_variable_is_data() -> None:
    assert score("{{expected}}", Case("c", {"x": "{{expected}}"}, "no"), type="equals", value="{{x}}").passed is True


def test_a_variable_may_stand_in_for_what_a_case_lacks() -> None:
    assert score("yes", Case("c", {"expected": "yes"}), type="equals", value="{{expected}}").passed is True
    assert score("yes", Case("c", {"expected": "no"}, "yes"), type="equals", value="{{expected}}").passed is True


@pytest.mark.parametrize("inverse", ["", "not-"])
@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("equals", "{{expected}}", "case 'c' does not have"),
        ("contains", "{{who}}", "the value is empty for case 'c'"),
        ("starts-with", "{{who}}", "the value is empty for case 'c'"),
        ("contains-any", "{{who}}", "the value is an empty list for case 'c'"),
        ("regex", "(?={{who}})", "RE2 has no look-around"),
        ("contains-all", '{{who}}"a', "quoted field"),
    ],
)
def test_what_cannot_be_asked_of_a_case_is_an_error_and_no_verdict(inverse: str, kind: str, value: str, words: str) -> None:
    found = score("x", type=inverse + kind, value=value)
    assert (found.passed, found.score) == (None, None)
    assert words in (found.error or "")


def test_a_pattern_that_would_hang_other_engines_ends_at_once() -> None:
    assert score("a" * 50_000 + "!", type="regex", value="(a+)+$").passed is False


def test_a_reason_is_short_whatever_the_value() -> None:
    assert len(score("x", type="contains-all", value=["y" * 5000] * 50).reason) <= 500


def test_the_name_is_the_metric_and_the_weight_is_kept() -> None:
    parts = ScorerDependencies(embed=nothing, ask=nothing)
    scorer = build_scorer(ScorerSpec.model_validate({"type": "not-equals", "value": "x", "weight": 2.5}), parts)
    assert (scorer.name, scorer.weight) == ("not-equals", 2.5)
    assert build_scorer(ScorerSpec.model_validate({"type": "equals", "value": "x", "name": "exact"}), parts).name == "exact"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.text() | JSON.map(json.dumps))
def test_equals_always_has_an_answer(value: Any, output: str) -> None:
    try:
        found, turned = (score(output, type=kind, value=value) for kind in ("equals", "not-equals"))
    except ValidationError:
        return
    assert (found.error is None) == (turned.error is None)
    assert found.error is not None or found.passed is not turned.passed


@given(JSON)
def test_every_value_equals_itself_written_as_json(value: Any) -> None:
    assert json_equal(value, json.loads(json.dumps(value)))
    assert not json_equal(value, [value])


@given(st.text(), st.text())
def test_regex_always_has_an_answer(pattern: str, output: str) -> None:
    try:
        found, turned = (score(output, type=kind, value=pattern) for kind in ("regex", "not-regex"))
    except ValidationError:
        return
    assert (found.error is None) == (turned.error is None)
    if "is no pattern in JavaScript" in found.reason:
        assert (found.passed, turned.passed) == (False, False)
    else:
        assert found.error is not None or found.passed is not turned.passed
