"""The rule that combines scores into a verdict, a score and metrics."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.evaluation.scorers.aggregate import Outcome, add_score, combine_scores, metric_scores, score_json
from promptuary.evaluation.scorers.score import Score, WeightedScore


def part(
    score: float | None, weight: float = 1.0, metric: str | None = None, *, from_case: bool = False, passed: Any = None
) -> WeightedScore:
    """Create a weighted score; without a score it is an error."""
    verdict = score == 1.0 if passed is None else passed
    result = Score.from_error("s", "broke") if score is None else Score("s", verdict, score, "so")
    return WeightedScore(result, weight, metric, from_case)


PARTS = [part(1), part(0, 3), part(0.5, 2, passed=True), part(None), part(0.25, 0), part(None, 0)]


@pytest.mark.parametrize(
    ("parts", "threshold", "expected"),
    [
        ([], None, (True, 1.0)),
        ([], 0.9, (True, 1.0)),
        ([part(1), part(0, 3)], None, (False, 0.25)),
        ([part(1), part(0, 3)], 0.25, (True, 0.25)),
        ([part(1), part(1)], 1.0, (True, 1.0)),
        ([part(0.5, passed=True), part(1)], None, (True, 0.75)),
        ([part(0.5, passed=True)], 0.6, (False, 0.5)),
        ([part(0, 0), part(1)], None, (True, 1.0)),
        ([part(0, 0)], None, (True, 0.0)),
        ([part(0, 0)], 0.1, (False, 0.0)),
        ([part(1), part(None)], None, (None, None)),
        ([part(1), part(None)], 0.1, (None, None)),
        ([part(1), part(None, 0)], None, (True, 1.0)),
    ],
)
def test_the_mean_is_weighted_and_a_threshold_decides_alone(
    parts: list[WeightedScore], threshold: float | None, expected: Any
) -> None:
    assert combine_scores(parts, threshold) == Outcome(*expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6)), min_size=1, max_size=8), st.floats(0, 1))
def test_a_combined_score_stays_in_its_range(scores: list[tuple[float, float]], threshold: float) -> None:
    outcome = combine_scores([part(score, weight) for score, weight in scores], threshold)
    assert outcome.score is not None
    assert 0 <= outcome.score <= 1
    assert outcome.passed == (outcome.score >= threshold)


@pytest.mark.parametrize("threshold", [None, 0.0, 0.4, 1.0])
@pytest.mark.parametrize("size", range(1, 4))
def test_a_score_added_later_counts_as_one_among_the_others(size: int, threshold: float | None) -> None:
    for parts in itertools.permutations(PARTS, size):
        *earlier, last = parts
        weight = sum(each.weight for each in earlier)
        outcome = add_score(combine_scores(earlier, threshold if last.weight == 0 else None), weight, last, threshold)
        if weight or last.weight:
            expected = combine_scores(parts, threshold)
            assert (outcome.passed, outcome.score) == (expected.passed, pytest.approx(expected.score))


def test_scores_with_the_same_metric_are_a_weighted_mean() -> None:
    assert metric_scores([part(1, 2, "m"), part(0, 1, "m", from_case=True), part(0.5, 1, "k"), part(1)]) == {
        "m": pytest.approx(2 / 3),
        "k": 0.5,
    }


def test_an_error_with_a_weight_leaves_its_metric_unknown() -> None:
    assert metric_scores([part(1, 2, "m"), part(None, 1, "m")]) == {"m": None}
    assert metric_scores([part(1, 2, "m"), part(None, 0, "m")]) == {"m": 1.0}
    assert metric_scores([part(None, 0, "m")]) == {"m": None}


def test_without_weights_a_suites_metric_is_shown_and_a_cases_is_zero() -> None:
    assert metric_scores([part(0.5, 0, "m")]) == {"m": 0.5}
    assert metric_scores([part(0.5, 0, "m", from_case=True)]) == {"m": 0.0}
    assert metric_scores([part(0.5, 0, "m"), part(1, 0, "m", from_case=True)]) == {"m": 0.5}


def test_metrics_inside_a_set_count_by_the_sets_weight() -> None:
    inner = (part(1, 1, "m"), part(0, 3, "k"))
    whole = WeightedScore(Score("set", False, 0.25, "", parts=inner), 2.0, "s")
    assert metric_scores([whole, part(1, 1, "k")]) == {"s": 0.25, "m": 1.0, "k": pytest.approx(1 / 7)}


def test_a_metric_named_as_its_set_is_the_sets_score_alone() -> None:
    whole = WeightedScore(Score("set", True, 0.5, "", parts=(part(1, 1, "m"),)), 1.0, "m")
    assert metric_scores([whole]) == {"m": 0.5}


def test_the_order_of_scores_changes_no_metric() -> None:
    parts = [part(1, 2, "m"), part(0, 1, "m"), part(0.5, 1, "m")]
    for order in itertools.permutations(parts):
        assert metric_scores(order) == {"m": pytest.approx(0.625)}


def test_a_sets_json_has_its_parts() -> None:
    whole = WeightedScore(Score("set", True, 1.0, "all", parts=(part(1),)))
    assert score_json(whole)["parts"] == [{"name": "s", "passed": True, "score": 1.0, "reason": "so", "error": None}]
