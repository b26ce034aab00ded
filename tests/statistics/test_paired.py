import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.paired import holm_adjusted, holm_step_down, mcnemar_exact, paired_difference
from promptuary.statistics.sample import NoSpreadError

pairs = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=50)
graded = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


def bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def table(both: int, gains: int, losses: int, neither: int) -> tuple[list[float], list[float]]:
    """Return the scores of candidate and baseline with these counts of pairs."""
    candidate = [1.0] * (both + gains) + [0.0] * (losses + neither)
    baseline = [1.0] * both + [0.0] * gains + [1.0] * losses + [0.0] * neither
    return candidate, baseline


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        # Airway reactivity: Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), Tango's asymptotic score.
        ((1, 1, 7, 12), -0.517, -0.026),
        # Soft lenses, 43/0/1/0: Tango, Statistics in Medicine 17 (1998), table of examples.
        ((43, 0, 1, 0), -0.118, 0.059),
    ],
)
def test_the_score_interval_agrees_with_published_values(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    interval = paired_difference(*table(*cells))
    assert interval.method == "tango"
    assert bounds(interval) == pytest.approx((low, high), abs=6e-4)


@pytest.mark.parametrize("n", [1, 5, 20, 300])
def test_equal_sides_leave_room_for_a_difference_that_was_not_seen(n: int) -> None:
    # Without a discordant pair the score equation is solved by ± z²/(n + z²).
    square = stats.norm.ppf(0.975) ** 2
    interval = paired_difference([1.0] * n, [1.0] * n)
    assert bounds(interval) == pytest.approx((-square / (n + square), square / (n + square)))


@given(pairs)
def test_the_score_interval_contains_zero_where_mcnemars_statistic_is_small(rows: list[tuple[float, float]]) -> None:
    candidate, baseline = zip(*rows, strict=True)
    gains = sum(a > b for a, b in rows)
    losses = sum(a < b for a, b in rows)
    interval = paired_difference(candidate, baseline)
    statistic = abs(gains - losses) / math.sqrt(gains + losses) if gains + losses else 0.0
    assert (interval.low <= 0 <= interval.high) == (statistic <= stats.norm.ppf(0.975))


@given(graded)
def test_swapped_sides_give_a_mirrored_interval(rows: list[tuple[float, float]]) -> None:
    candidate, baseline = zip(*rows, strict=True)
    interval, swapped = paired_difference(candidate, baseline), paired_difference(baseline, candidate)
    assert bounds(interval) == pytest.approx((-swapped.high, -swapped.low))


@given(graded, st.floats(0.5, 0.99))
def test_an_interval_contains_its_estimate_and_has_a_width(rows: list[tuple[float, float]], level: float) -> None:
    candidate, baseline = zip(*rows, strict=True)
    interval = paired_difference(candidate, baseline, level=level)
    assert -1.0 <= interval.low <= interval.estimate <= interval.high <= 1.0
    assert interval.low < interval.high


@given(graded)
def test_clusters_of_one_case_change_nothing(rows: list[tuple[float, float]]) -> None:
    candidate, baseline = zip(*rows, strict=True)
    clustered = paired_difference(candidate, baseline, clusters=range(len(rows)))
    assert bounds(clustered) == pytest.approx(bounds(paired_difference(candidate, baseline)))


def test_graded_scores_take_students_t_on_the_differences() -> None:
    candidate, baseline = [0.8, 0.4, 0.9, 0.7, 0.65], [0.7, 0.5, 0.6, 0.5, 0.6]
    interval = paired_difference(candidate, baseline)
    reference = stats.ttest_rel(candidate, baseline).confidence_interval(0.95)
    assert bounds(interval) == pytest.approx((reference.low, reference.high))
    assert (interval.method, interval.n, interval.clusters) == ("paired-clt", 5, None)


def test_pairing_takes_the_difficulty_of_the_cases_out() -> None:
    rng = np.random.default_rng(2)
    baseline = rng.uniform(0.1, 0.8, 60)
    candidate = baseline + rng.normal(0.05, 0.02, 60)
    assert (
        paired_difference(candidate.tolist(), baseline.tolist()).half_width < mean_interval(candidate.tolist()).half_width / 5
    )


def test_clusters_are_the_unit_of_the_difference() -> None:
    candidate = [0.9, 0.9, 0.4, 0.4, 0.7, 0.7, 0.6, 0.6]
    baseline = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    interval = paired_difference(candidate, baseline, clusters=list("aabbccdd"))
    alone = paired_difference([0.9, 0.4, 0.7, 0.6], [0.5] * 4)
    assert bounds(interval) == pytest.approx(bounds(alone))
    assert (interval.method, interval.n, interval.clusters) == ("paired-cluster-robust", 8, 4)


@pytest.mark.parametrize("clusters", [None, list("aabbccdd")])
def test_equal_graded_differences_leave_room_for_a_difference(clusters: list[str] | None) -> None:
    interval = paired_difference([0.8] * 8, [0.7] * 8, clusters=clusters)
    assert interval.method == "tango-effective"
    assert interval.low < 0 < interval.estimate < interval.high


def test_few_changed_cases_among_many_do_not_claim_a_normal_mean() -> None:
    baseline = [1.0] * 100
    candidate = [2 / 3, 1 / 3] + [1.0] * 98
    interval = paired_difference(candidate, baseline)
    assert interval.method == "tango-effective"
    assert interval.low < -0.025
    assert 0 <= interval.high < 0.02


def score_statistic(change: float, gains: float, losses: float, pairs: float) -> float:
    """Compute Tango's score statistic; the likelihood of the losses is maximised numerically, not by its closed form."""

    def negative_likelihood(share: float) -> float:
        cells = ((gains, share + change), (losses, share), (pairs - gains - losses, 1 - 2 * share - change))
        return -sum(count * math.log(probability) for count, probability in cells if count > 0)

    least, most = max(0.0, -change) + 1e-12, (1 - change) / 2 - 1e-12
    share = optimize.minimize_scalar(negative_likelihood, bounds=(least, most), method="bounded", options={"xatol": 1e-13}).x
    return (gains - losses - pairs * change) / math.sqrt(pairs * (2 * share + change * (1 - change)))


@pytest.mark.parametrize("limits", [(0.0, 1.0), (1.0, 5.0), (-3.0, -1.0)])
def test_few_changed_cases_have_tangos_interval_on_an_effective_number_of_pairs(limits: tuple[float, float]) -> None:
    # By hand, on [0, 1]: two of 100 cases fall by 1/3 and 2/3, so the gains are 0 and the losses 1/100 a case. The largest
    # variance of such changes is 0.01 - 0.01² = 0.0099; their own is (1/9 + 4/9 - 100 · 0.01²) / 99 = 0.0055107, so their
    # error² is 0.000055107 and the effective number of pairs 0.0099 / 0.000055107 = 179.65. Student's t(99) is 1.98422.
    size, quantile = 0.0099 / ((5 / 9 - 0.01) / 9900), 1.9842169516
    assert size == pytest.approx(179.65, abs=5e-3)
    low = optimize.brentq(lambda change: score_statistic(change, 0, 0.01 * size, size) - quantile, -0.5, -0.011)
    high = optimize.brentq(lambda change: score_statistic(change, 0, 0.01 * size, size) + quantile, -0.009, 0.5)

    bottom, top = limits
    width = top - bottom
    baseline = [top] * 100
    candidate = [top - width / 3, top - 2 * width / 3] + [top] * 98
    interval = paired_difference(candidate, baseline, bounds=limits)

    assert interval.method == "tango-effective"
    assert bounds(interval) == pytest.approx((width * low, width * high), rel=1e-5)


def test_rounding_of_repeat_means_is_no_difference() -> None:
    noisy, exact = paired_difference([0.1 + 0.2] * 9 + [0.3], [0.3] * 10), paired_difference([0.3] * 10, [0.3] * 10)
    assert bounds(noisy) == bounds(exact)


def test_differences_without_a_range_need_spread() -> None:
    with pytest.raises(NoSpreadError, match="`bounds`"):
        paired_difference([120.0, 80.0], [120.0, 80.0])
    assert paired_difference([120.0, 80.0], [120.0, 80.0], bounds=(0, 200)).half_width > 50


def test_both_sides_must_have_the_same_cases() -> None:
    with pytest.raises(ValueError, match="3 scores and the baseline 2"):
        paired_difference([0.1, 0.2, 0.3], [0.1, 0.2])
    with pytest.raises(ValueError, match="at position 0"):
        paired_difference([0.1], [math.nan])


@given(pairs)
def test_mcnemar_is_the_exact_binomial_test(rows: list[tuple[float, float]]) -> None:
    candidate, baseline = zip(*rows, strict=True)
    gains, losses = sum(a > b for a, b in rows), sum(a < b for a, b in rows)
    reference = stats.binomtest(gains, gains + losses).pvalue if gains + losses else 1.0
    assert mcnemar_exact(candidate, baseline) == pytest.approx(reference)


def test_mcnemar_agrees_with_published_values() -> None:
    # Fagerland, Lydersen and Laake, BMC Med. Res. Methodology 13:91 (2013): exact conditional p = 0.070 for 1 against 7.
    assert mcnemar_exact(*table(1, 1, 7, 12)) == pytest.approx(0.0703, abs=5e-5)


def test_mcnemar_takes_binary_scores_only() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        mcnemar_exact([0.5], [1.0])


def test_holm_agrees_with_published_values() -> None:
    # Holm's procedure as R's p.adjust computes it: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_lies_between_the_raw_and_bonferroni(values: list[float]) -> None:
    adjusted = holm_adjusted(values)
    for raw, value in zip(values, adjusted, strict=True):
        assert raw <= value <= min(1.0, raw * len(values)) or value == pytest.approx(max(raw, value))
        assert value <= 1.0
    order = sorted(range(len(values)), key=lambda place: values[place])
    assert [adjusted[place] for place in order] == sorted(adjusted)


def test_a_p_value_is_a_probability() -> None:
    with pytest.raises(ValueError, match="position 1"):
        holm_adjusted([0.1, 1.5])
    with pytest.raises(ValueError, match="position 0"):
        holm_adjusted([math.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_step_down_by_intervals_agrees_with_holm_by_p_values(p_values: list[float]) -> None:
    alpha = 0.05
    assume(all(abs(value - alpha / step) > 1e-9 for value in p_values for step in range(1, 9)))

    claims = holm_step_down(lambda number, level: p_values[number] <= 1 - level, len(p_values), 1 - alpha)

    assert claims == {place for place, value in enumerate(holm_adjusted(p_values)) if value <= alpha}
