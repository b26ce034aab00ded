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
def test_every_look_narrows_and_never_widens(scores: list[float]) -> None:
    looks = confidence_sequence(scores)
    assert [look.n for look in looks] == list(range(1, len(scores) + 1))
    for before, after in itertools.pairwise(looks):
        assert before.low <= after.low <= after.estimate <= after.high <= before.high


@settings(deadline=None)
@given(shares, st.integers(1, 30))
def test_a_look_does_not_know_what_comes_after_it(scores: list[float], cut: int) -> None:
    assert confidence_sequence(scores)[:cut] == confidence_sequence(scores[:cut])


@settings(deadline=None)
@given(shares)
def test_turning_the_scores_round_turns_the_sequence_round(scores: list[float]) -> None:
    here, there = confidence_sequence(scores)[-1], confidence_sequence([1 - score for score in scores])[-1]
    assert (here.low, here.high) == pytest.approx((1 - there.high, 1 - there.low))


def test_the_sequence_holds_the_mean_at_every_look_where_repeated_tests_do_not() -> None:
    rng = np.random.default_rng(3)
    lost, naive = 0, 0
    for _ in range(60):
        rate = rng.uniform(0.2, 0.9)
        scores = (rng.random(100) < rate).astype(float).tolist()
        lost += any(not look.low <= rate <= look.high for look in confidence_sequence(scores))
        fixed = [mean_interval(scores[:n]) for n in range(10, 101)]
        naive += any(not look.low <= rate <= look.high for look in fixed)
    assert lost / 60 <= 0.05
    assert naive / 60 > 0.15


def test_a_difference_is_held_at_every_look() -> None:
    rng = np.random.default_rng(4)
    lost = 0
    for _ in range(60):
        theirs = (rng.random(90) < 0.7).astype(float)
        flips = rng.random(90)
        ours = np.where(flips < 0.1, 1 - theirs, theirs)
        looks = difference_sequence(ours.tolist(), theirs.tolist())
        lost += any(not look.low <= 0.1 * (0.3 - 0.7) <= look.high for look in looks)
    assert lost / 60 <= 0.05


def test_a_clear_difference_ends_a_run_early() -> None:
    looks = difference_sequence([0.0] * 60, [1.0] * 60)
    assert next(look.n for look in looks if look.high < -0.1) < 30
    assert looks[-1].estimate == -1.0


def test_variance_that_is_small_makes_the_sequence_narrow() -> None:
    rng = np.random.default_rng(6)
    calm = confidence_sequence((0.5 + rng.uniform(-0.05, 0.05, 300)).tolist())[-1]
    wild = confidence_sequence((rng.random(300) < 0.5).astype(float).tolist())[-1]
    assert calm.half_width < wild.half_width / 2


def test_scores_in_another_range_give_the_sequence_in_that_range() -> None:
    scores = np.random.default_rng(8).random(40)
    here, there = confidence_sequence(scores.tolist())[-1], confidence_sequence((5 + 2 * scores).tolist(), bounds=(5, 7))[-1]
    assert (there.low, there.high) == pytest.approx((5 + 2 * here.low, 5 + 2 * here.high))


def test_what_breaks_the_guarantee_is_refused() -> None:
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
    looks = confidence_sequence([1.0] * 100 + [0.0] * 600)
    assert all(look.low <= look.high for look in looks)


@settings(deadline=None)
@given(shares, st.data())
def test_fewer_looks_see_the_same_or_less(scores: list[float], data: st.DataObject) -> None:
    looks = sorted(data.draw(st.sets(st.integers(1, len(scores)), min_size=1)))
    every, some = confidence_sequence(scores), confidence_sequence(scores, looks=looks)

    assert [look.n for look in some] == looks
    for look in some:
        full = every[look.n - 1]
        assert look.low <= full.low + 1e-9
        assert full.high - 1e-9 <= look.high
    assert confidence_sequence(scores, looks=range(1, len(scores) + 1)) == every


@pytest.mark.parametrize("looks", [[], [0], [2, 1], [1, 1], [4]])
def test_looks_are_ascending_numbers_of_scores_that_there_are(looks: list[int]) -> None:
    with pytest.raises(ValueError, match="looks"):
        confidence_sequence([0.0, 1.0, 1.0], looks=looks)
