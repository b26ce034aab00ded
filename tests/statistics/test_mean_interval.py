import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from promptuary.statistics.bootstrap import cluster_bootstrap
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.sample import NoSpreadError

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)
outcomes = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)
levels = st.floats(0.5, 0.999)


def bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def scored(successes: int, n: int) -> list[float]:
    return [1.0] * successes + [0.0] * (n - successes)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3 (score, no continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = mean_interval(scored(successes, n))
    assert interval.method == "wilson"
    assert bounds(interval) == pytest.approx((low, high), abs=5e-5)


def test_scores_between_0_and_1_take_students_t() -> None:
    scores = [0.62, 0.41, 0.93, 0.55, 0.78, 0.36, 0.84]
    interval = mean_interval(scores, level=0.9)
    reference = stats.t.interval(0.9, 6, loc=np.mean(scores), scale=stats.sem(scores))
    assert bounds(interval) == pytest.approx(reference)
    assert (interval.method, interval.n, interval.clusters) == ("clt", 7, None)
    assert interval.half_width == pytest.approx((reference[1] - reference[0]) / 2)


def test_clusters_widen_the_error_by_hand() -> None:
    # Mean 0.5; sums of residuals by cluster +0.4, -0.5, +0.1; error² = 3/2 · (0.16 + 0.25 + 0.01) / 36; t(2) = 4.302653.
    scores = [0.8, 0.6, 0.1, 0.4, 0.7, 0.4]
    interval = mean_interval(scores, clusters=["a", "a", "b", "b", "c", "c"])
    reach = 4.302653 * math.sqrt(1.5 * 0.42 / 36)
    assert interval.estimate - interval.low == pytest.approx(min(0.5, reach), rel=1e-6)
    wide = mean_interval(scores, clusters=["a", "a", "b", "b", "c", "c"], bounds=(-9, 9))
    assert bounds(wide) == pytest.approx((0.5 - reach, 0.5 + reach), rel=1e-6)
    assert (interval.method, interval.clusters) == ("cluster-robust", 3)


@given(shares)
def test_clusters_of_one_case_change_nothing(scores: list[float]) -> None:
    alone = mean_interval(scores)
    clustered = mean_interval(scores, clusters=range(len(scores)))
    assert bounds(clustered) == pytest.approx(bounds(alone))
    assert mean_interval(scores, clusters=[None] * len(scores)) == clustered


@given(shares, levels)
def test_an_interval_holds_its_estimate_and_has_a_width(scores: list[float], level: float) -> None:
    interval = mean_interval(scores, level=level)
    assert 0.0 <= interval.low <= interval.estimate <= interval.high <= 1.0
    assert interval.low < interval.high


@given(outcomes)
def test_turning_success_and_failure_round_turns_the_interval_round(scores: list[float]) -> None:
    here, there = mean_interval(scores), mean_interval([1 - score for score in scores])
    assert bounds(here) == pytest.approx((1 - there.high, 1 - there.low))


@given(outcomes, levels)
def test_more_confidence_is_never_narrower(scores: list[float], level: float) -> None:
    wide, narrow = mean_interval(scores, level=level), mean_interval(scores, level=level - 0.4)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(-50, 50), st.floats(0.1, 100))
def test_another_unit_gives_the_same_interval_in_that_unit(scores: list[float], shift: float, scale: float) -> None:
    moved = mean_interval([shift + scale * score for score in scores], bounds=(shift - 1e-9, shift + scale * (1 + 1e-9)))
    here = mean_interval(scores, bounds=(-1e-9, 1 + 1e-9))
    if here.method == moved.method:
        assert bounds(moved) == pytest.approx((shift + scale * here.low, shift + scale * here.high), abs=1e-4 * scale)


@pytest.mark.parametrize("score", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("clusters", [None, list("aaabbbccc")])
def test_equal_scores_are_no_proof_of_certainty(score: float, clusters: list[str] | None) -> None:
    interval = mean_interval([score] * 9, clusters=clusters)
    assert interval.high - interval.low > 0.29


def test_clusters_that_agree_wholly_count_once_each() -> None:
    ten_clusters = mean_interval([1.0] * 50, clusters=[place // 5 for place in range(50)])
    assert bounds(ten_clusters) == pytest.approx(bounds(mean_interval([1.0] * 10)))


def test_one_cluster_is_one_case() -> None:
    interval = mean_interval([1.0, 1.0, 0.0, 1.0], clusters=["only"] * 4)
    assert interval.low < 0.2
    assert interval.high > 0.95
    assert interval.method == "wilson-effective"


def test_a_rare_failure_among_repeat_means_does_not_reach_past_the_end() -> None:
    interval = mean_interval([2 / 3] + [1.0] * 59)
    assert interval.method == "wilson-effective"
    assert 0.96 < interval.low < interval.estimate < interval.high < 1.0


def test_rounding_of_repeat_means_is_no_spread() -> None:
    assert mean_interval([0.1 + 0.2, 0.3, 0.3]).method == "wilson-effective"


def test_scores_of_any_size_have_an_interval_of_that_size() -> None:
    costs = [2e-9, 3e-9, 5e-9, 2.5e-9]
    assert mean_interval(costs, bounds=(-1, 1)).half_width == pytest.approx(1e-9 * mean_interval([2, 3, 5, 2.5]).half_width)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="position 1"):
        mean_interval([0.5, wrong])


def test_no_case_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        mean_interval([])


def test_scores_without_a_range_need_spread() -> None:
    for scores in ([120.0, 120.0, 120.0], [120.0]):
        with pytest.raises(NoSpreadError, match="`bounds`"):
            mean_interval(scores)
    assert mean_interval([120.0, 120.0, 120.0], bounds=(0, 500)).half_width > 50


def test_scores_outside_the_unit_range_are_not_clipped() -> None:
    interval = mean_interval([1.0, 250.0, 3.0])
    assert interval.low < 0
    assert interval.high > 200


def test_clusters_must_match_the_cases() -> None:
    with pytest.raises(ValueError, match="3 scores but 2 clusters"):
        mean_interval([0.1, 0.2, 0.3], clusters=["a", "b"])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(ValueError, match=r"0\.95"):
        mean_interval([0.1, 0.2], level=level)


@pytest.mark.parametrize("limits", [(1, 0), (0, 0), (0, math.inf)])
def test_a_range_ascends(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        mean_interval([0.1, 0.2], bounds=limits)


CLUSTERED = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
CLUSTERS = list("aabbbcccddef")


def test_the_same_seed_gives_the_same_bootstrap() -> None:
    first, again = (cluster_bootstrap(CLUSTERED, clusters=CLUSTERS, seed=3, resamples=999) for _ in range(2))
    assert first == again
    assert first != cluster_bootstrap(CLUSTERED, clusters=CLUSTERS, seed=4, resamples=999)


def test_the_bootstrap_of_many_cases_is_near_students_t() -> None:
    scores = np.random.default_rng(1).beta(3, 3, 400).tolist()
    assert bounds(cluster_bootstrap(scores, seed=1)) == pytest.approx(bounds(mean_interval(scores)), abs=0.003)


def test_the_bootstrap_stays_inside_the_range_and_around_the_mean() -> None:
    interval = cluster_bootstrap([1.0, 1.0, 1.0, 0.5], clusters=list("aabc"), seed=1)
    assert 0.0 <= interval.low <= interval.estimate <= interval.high <= 1.0


def test_the_bootstrap_refuses_what_it_cannot_draw_from() -> None:
    with pytest.raises(NoSpreadError, match="mean_interval"):
        cluster_bootstrap([1.0, 1.0], clusters=["a", "b"], seed=1)
    with pytest.raises(NoSpreadError, match="two clusters"):
        cluster_bootstrap([1.0, 0.0], clusters=["a", "a"], seed=1)
    with pytest.raises(ValueError, match="range"):
        cluster_bootstrap([1.0, 7.0], seed=1)
    with pytest.raises(ValueError, match="199"):
        cluster_bootstrap([1.0, 0.0], seed=1, resamples=10)
