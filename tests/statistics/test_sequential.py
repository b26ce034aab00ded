import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.sequential import confidence_sequence, difference_sequence

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(deadline=None)
@given(shares)
def test_each_interim_analysis_narrows_and_never_widens(scores: list[float]) -> None:
    intervals = confidence_sequence(scores)
    assert [interval.n for interval in intervals] == list(range(1, len(scores) + 1))
    for before, after in itertools.pairwise(intervals):
        assert before.low <= after.low <= after.estimate <= after.high <= before.high


@settings(deadline=None)
@given(shares, st.integers(1, 30))
def test_an_interim_analysis_does_not_depend_on_later_scores(scores: list[float], cut: int) -> None:
    assert confidence_sequence(scores)[:cut] == confidence_sequence(scores[:cut])


@settings(deadline=None)
@given(shares)
def test_mirrored_scores_give_a_mirrored_sequence(scores: list[float]) -> None:
    here, there = confidence_sequence(scores)[-1], confidence_sequence([1 - score for score in scores])[-1]
    assert (here.low, here.high) == pytest.approx((1 - there.high, 1 - there.low))


def test_the_sequence_contains_the_mean_where_repeated_fixed_intervals_do_not() -> None:
    rng = np.random.default_rng(3)
    misses, fixed_misses = 0, 0
    for _ in range(60):
        rate = rng.uniform(0.2, 0.9)
        scores = (rng.random(100) < rate).astype(float).tolist()
        misses += any(not interval.low <= rate <= interval.high for interval in confidence_sequence(scores))
        fixed = [mean_interval(scores[:n]) for n in range(10, 101)]
        fixed_misses += any(not interval.low <= rate <= interval.high for interval in fixed)
    assert misses / 60 <= 0.05
    assert fixed_misses / 60 > 0.15


def test_a_sequence_contains_the_difference_at_each_interim_analysis() -> None:
    rng = np.random.default_rng(4)
    misses = 0
    for _ in range(60):
        baseline = (rng.random(90) < 0.7).astype(float)
        flips = rng.random(90)
        candidate = np.where(flips < 0.1, 1 - baseline, baseline)
        intervals = difference_sequence(candidate.tolist(), baseline.tolist())
        misses += any(not interval.low <= 0.1 * (0.3 - 0.7) <= interval.high for interval in intervals)
    assert misses / 60 <= 0.05


def test_a_clear_difference_ends_a_run_early() -> None:
    intervals = difference_sequence([0.0] * 60, [1.0] * 60)
    assert next(interval.n for interval in intervals if interval.high < -0.1) < 30
    assert intervals[-1].estimate == -1.0


def test_small_variance_makes_the_sequence_narrow() -> None:
    rng = np.random.default_rng(6)
    calm = confidence_sequence((0.5 + rng.uniform(-0.05, 0.05, 300)).tolist())[-1]
    wild = confidence_sequence((rng.random(300) < 0.5).astype(float).tolist())[-1]
    assert calm.half_width < wild.half_width / 2


def test_scores_in_another_range_give_the_sequence_in_that_range() -> None:
    scores = np.random.default_rng(8).random(40)
    here, there = confidence_sequence(scores.tolist())[-1], confidence_sequence((5 + 2 * scores).tolist(), bounds=(5, 7))[-1]
    assert (there.low, there.high) == pytest.approx((5 + 2 * here.low, 5 + 2 * here.high))


def test_arguments_that_break_the_guarantee_are_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        confidence_sequence([0.5, 1.5])
    with pytest.raises(ValueError, match="range"):
        difference_sequence([0.5, 1.5], [0.5, 0.5])
    with pytest.raises(ValueError, match="position 0"):
        confidence_sequence([math.nan])
    with pytest.raises(ValueError, match="2 scores and the baseline 1"):
        difference_sequence([0.5, 0.5], [0.5])
    with pytest.raises(ValueError, match="level"):
        confidence_sequence([0.5], level=95)


def test_scores_that_drift_keep_the_last_bounds_that_were_not_empty() -> None:
    intervals = confidence_sequence([1.0] * 100 + [0.0] * 600)
    assert all(interval.low <= interval.high for interval in intervals)


@settings(deadline=None)
@given(shares, st.data())
def test_fewer_interim_analyses_give_the_same_or_wider_intervals(scores: list[float], data: st.DataObject) -> None:
    analyses = sorted(data.draw(st.sets(st.integers(1, len(scores)), min_size=1)))
    every, some = confidence_sequence(scores), confidence_sequence(scores, interim_analyses=analyses)

    assert [interval.n for interval in some] == analyses
    for interval in some:
        full = every[interval.n - 1]
        assert interval.low <= full.low + 1e-9
        assert full.high - 1e-9 <= interval.high
    assert confidence_sequence(scores, interim_analyses=range(1, len(scores) + 1)) == every


@pytest.mark.parametrize("analyses", [[], [0], [2, 1], [1, 1], [4]])
def test_interim_analyses_are_ascending_numbers_of_scores(analyses: list[int]) -> None:
    with pytest.raises(ValueError, match="interim analyses"):
        confidence_sequence([0.0, 1.0, 1.0], interim_analyses=analyses)
