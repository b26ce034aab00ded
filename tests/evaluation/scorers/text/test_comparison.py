import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factories.scorers import NO_MODELS, score_sample
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.prompt.canonical_json import json_equal


def score(output: str, case: Case | None = None, **spec: Any) -> Score:
    return score_sample(ScorerInput(case or Case("c", {}), output), **spec)


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


@pytest.mark.parametrize(("output", "scorer_type", "value", "holds"), CASES)
def test_a_match_passes_with_one_and_not_inverts_both(output: str, scorer_type: str, value: Any, holds: bool) -> None:
    plain = score(output, type=scorer_type, value=value)
    inverted = score(output, type=f"not-{scorer_type}", value=value)
    assert (plain.passed, plain.score, plain.error) == (holds, float(holds), None)
    assert (inverted.passed, inverted.score, inverted.error) == (not holds, float(not holds), None)
    assert plain.reason == inverted.reason != ""


CASE = Case("c", {"who": "Ada"}, expected="card_lost", metadata={"limits": [1, 2], "intent": "pin", "own": {"a": [1], "b": 2}})


@pytest.mark.parametrize(
    ("scorer_type", "value", "output"),
    [
        ("equals", "{{expected}}", "card_lost"),
        ("equals", "{{who}}: {{metadata.intent}}", "Ada: pin"),
        ("equals", {"name": "{{who}}", "n": 1}, '{"n": 1, "name": "Ada"}'),
        ("contains-all", ["{{who}}", "{{expected}}"], "Ada: card_lost"),
        ("equals", "{{metadata.own}}", '{"b": 2, "a": [1.0]}'),
        ("contains-all", "{{metadata.limits}}", "1 and 2"),
        ("regex", "^{{who}}$", "Ada"),
        ("contains", "{{missing}}A", "Ada"),
    ],
)
def test_a_value_is_filled_from_the_case(scorer_type: str, value: Any, output: str) -> None:
    assert score(output, CASE, type=scorer_type, value=value).passed is True
    assert score("something else", CASE, type=scorer_type, value=value).passed is False


def test_a_tag_in_a_variable_is_data() -> None:
    assert score("{{expected}}", Case("c", {"x": "{{expected}}"}, "no"), type="equals", value="{{x}}").passed is True


def test_a_variable_can_replace_what_a_case_lacks() -> None:
    assert score("yes", Case("c", {"expected": "yes"}), type="equals", value="{{expected}}").passed is True
    assert score("yes", Case("c", {"expected": "no"}, "yes"), type="equals", value="{{expected}}").passed is True


@pytest.mark.parametrize("inverse", ["", "not-"])
@pytest.mark.parametrize(
    ("scorer_type", "value", "message"),
    [
        ("equals", "{{expected}}", "case 'c' does not have"),
        ("contains", "{{who}}", "the value is empty for case 'c'"),
        ("starts-with", "{{who}}", "the value is empty for case 'c'"),
        ("contains-any", "{{who}}", "the value is empty for case 'c', which has no {{who}}"),
        ("contains-any", ["a", "{{who.name}}"], "which has no {{who.name}}"),
        ("contains-any", "{{#who}}x{{/who}}", "the value is an empty list for case 'c'"),
        ("regex", "{{who}}", "the value is empty for case 'c'"),
        ("regex", "{{#who}}x{{/who}}", "the pattern is empty for case 'c'"),
        ("equals", "{{who}}", "the value is empty for case 'c'"),
        ("levenshtein", "{{who}}", "the value is empty for case 'c'"),
        ("rouge-n", "{{who}}", "the value is empty for case 'c'"),
        ("contains-all", '{{who}}"a', "quoted field"),
    ],
)
def test_a_value_that_a_case_cannot_fill_is_an_error(inverse: str, scorer_type: str, value: Any, message: str) -> None:
    result = score("x", type=inverse + scorer_type, value=value)
    assert (result.passed, result.score) == (None, None)
    assert message in (result.error or "")


def test_a_pattern_that_hangs_backtracking_engines_ends() -> None:
    assert score("a" * 50_000 + "!", type="regex", value="(a+)+$").passed is False


def test_a_reason_is_short_whatever_the_value() -> None:
    assert len(score("x", type="contains-all", value=["y" * 5000] * 50).reason) <= 500


def test_a_scorer_has_the_specs_metric_and_weight() -> None:
    scorer = build_scorer(ScorerSpec.model_validate({"type": "not-equals", "value": "x", "weight": 2.5}), NO_MODELS)
    assert (scorer.name, scorer.weight) == ("not-equals", 2.5)
    assert build_scorer(ScorerSpec.model_validate({"type": "equals", "value": "x", "name": "exact"}), NO_MODELS).name == "exact"


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
def test_equals_always_has_a_score_or_an_error(value: Any, output: str) -> None:
    try:
        plain, inverted = (score(output, type=name, value=value) for name in ("equals", "not-equals"))
    except ValidationError:
        return
    assert (plain.error is None) == (inverted.error is None)
    assert plain.error is not None or plain.passed is not inverted.passed


@given(JSON)
def test_every_value_equals_itself_written_as_json(value: Any) -> None:
    assert json_equal(value, json.loads(json.dumps(value)))
    assert not json_equal(value, [value])


@given(st.text(), st.text())
def test_regex_always_has_a_score_or_an_error(pattern: str, output: str) -> None:
    try:
        plain, inverted = (score(output, type=name, value=pattern) for name in ("regex", "not-regex"))
    except ValidationError:
        return
    assert (plain.error is None) == (inverted.error is None)
    if "is no pattern in JavaScript" in plain.reason:
        assert (plain.passed, inverted.passed) == (False, False)
    else:
        assert plain.error is not None or plain.passed is not inverted.passed
