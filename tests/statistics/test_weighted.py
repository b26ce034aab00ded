import math

import numpy as np
import pytest

from promptuary.statistics.mean_interval import mean_interval, wilson_interval
from promptuary.statistics.paired import paired_difference
from promptuary.statistics.sample import NoSpreadError
from promptuary.statistics.weighted import weighted_difference, weighted_mean
from promptuary.statistics.weighted_sample import WeightedSample, kish_number

WEIGHTS = [20.0, 20.0, 1.0, 1.0, 20.0, 1.0, 20.0, 20.0, 1.0, 20.0, 20.0, 20.0]
SCORES = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 1.0]
CLUSTERS = ["a", "a", "a", "b", "b", "c", "c", "d", "e", "f", None, None]


def test_the_estimate_is_hajeks() -> None:
    interval = weighted_mean(SCORES, WEIGHTS)
    assert interval.estimate == pytest.approx((20 * 5 + 10) / (8 * 20 + 4))
    assert interval.n == 12
    assert interval.clusters is None


def test_the_effective_number_is_kishs() -> None:
    assert kish_number(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)
    assert weighted_mean([1.0, 0.0, 1.0], [1, 1, 2]).effective == pytest.approx(16 / 6)


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
def test_equal_weights_change_nothing(clusters: list[str | None] | None) -> None:
    assert weighted_mean(SCORES, [7.0] * 12, clusters=clusters) == mean_interval(SCORES, clusters=clusters)
    others = SCORES[::-1]
    weighted = weighted_difference(SCORES, others, [0.3] * 12, clusters=clusters)
    assert weighted == paired_difference(SCORES, others, clusters=clusters)


def test_the_unit_of_the_weights_does_not_matter() -> None:
    weighted = weighted_mean(SCORES, WEIGHTS)
    scaled = weighted_mean(SCORES, [weight / 1000 for weight in WEIGHTS])
    assert (scaled.low, scaled.estimate, scaled.high) == pytest.approx((weighted.low, weighted.estimate, weighted.high))


def test_the_error_is_that_of_leaving_each_cluster_out() -> None:
    # The jackknife by hand, centred at the estimate: √((G - 1)/G · Σ (θ₋ - θ)²), MacKinnon, Nielsen and Webb (2023), 2.4, times
    # √(C/(C - 1)) for the C clusters that the draw is from, here the same ones.
    scores, weights = np.array(SCORES), np.array(WEIGHTS)
    groups = ["a", "a", "a", "b", "b", "c", "c", "d", "e", "f", "g", "h"]
    estimate = (weights * scores).sum() / weights.sum()
    squares = []
    for group in sorted(set(groups)):
        rest = np.array([each != group for each in groups])
        squares.append(((weights * scores)[rest].sum() / weights[rest].sum() - estimate) ** 2)
    expected = math.sqrt(sum(squares))
    sample = WeightedSample.of_weights(WEIGHTS, CLUSTERS)
    assert sample.error(sample.contributions(scores)) == pytest.approx(expected)


def test_the_linearised_variance_is_the_textbooks() -> None:
    # Särndal, Swensson and Wretman (1992), 5.7: Σ w²(y - ȳ)² / (Σw)² for a small sample of a large population; leaving a case
    # out multiplies each term by 1/(1 - h)², which tends to 1.
    rng = np.random.default_rng(1)
    scores, weights = rng.beta(3, 2, 4000), rng.uniform(1, 20, 4000)
    mean = (weights * scores).sum() / weights.sum()
    expected = math.sqrt((weights**2 * (scores - mean) ** 2).sum()) / weights.sum()
    sample = WeightedSample.of_weights(weights.tolist())
    assert sample.error(sample.contributions(scores)) == pytest.approx(expected, rel=2e-3)
    interval = weighted_mean(scores.tolist(), weights.tolist())
    assert interval.half_width == pytest.approx(1.96 * expected, rel=0.01)


def test_failures_of_a_small_weight_do_not_hide_unseen_ones() -> None:
    # 50 errors, all sampled, and 500 other calls of which each stands for 20: none of these failed, as up to 0.7 % of them
    # might (the rule of three), which is far more than the spread of the 50 shows.
    scores, weights = [0.0] * 50 + [1.0] * 500, [1.0] * 50 + [20.0] * 500
    interval = weighted_mean(scores, weights)
    assert interval.estimate == pytest.approx(10_000 / 10_050)
    assert interval.low < 1 - 50 / 10_050 - 3 / 500
    assert interval.method == "hajek-wilson-rare"


def test_without_any_failure_the_largest_weight_bounds_the_rate() -> None:
    weights = [1.0] * 90 + [10.0] * 10
    low, high = wilson_interval(19.0, 19.0, 1.959964)
    interval = weighted_mean([1.0] * 100, weights)
    assert high == interval.high == 1.0
    assert interval.low <= low


def test_bounds_stay_inside_the_range() -> None:
    interval = weighted_mean([1.0, 0.0, 1.0, 1.0], [1, 1, 2, 30])
    assert 0 <= interval.low < interval.estimate < interval.high <= 1
    difference = weighted_difference([1, 1, 1, 1], [0, 0, 0, 1], [1, 2, 30, 1])
    assert -1 <= difference.low < difference.estimate < difference.high <= 1


def test_scores_of_any_range_have_an_interval_where_they_spread() -> None:
    interval = weighted_mean([3.0, 5.0, 9.0, 4.0], [1, 2, 3, 4])
    assert interval.method == "hajek"
    assert interval.low < interval.estimate < interval.high
    with pytest.raises(NoSpreadError, match="no spread"):
        weighted_mean([3.0, 3.0, 3.0], [1, 2, 3])


def test_one_cluster_has_a_wide_interval() -> None:
    interval = weighted_mean([1.0, 0.0, 1.0], [1, 2, 3], clusters=["a", "a", "a"])
    assert interval.high - interval.low > 0.9


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_weight_is_a_number_above_zero(weight: float) -> None:
    with pytest.raises(ValueError, match="weight at position 1"):
        weighted_mean([1.0, 0.0], [1.0, weight])


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2, 3 values"):
        weighted_mean([1.0, 0.0], [1, 2, 3])
    with pytest.raises(ValueError, match="2, 2, 1 values"):
        weighted_difference([1.0, 0.0], [1.0, 0.0], [1])
