import math
from collections.abc import Sequence

import numpy as np
import pytest

from promptuary.statistics.pairwise.comparison import PairComparison
from promptuary.statistics.pairwise.ranking_interval import rank_sides

PUBLISHED = [[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]]


def choices(wins: Sequence[Sequence[int]]) -> list[PairComparison]:
    """Return a choice for each win, each on a pair of its own."""
    pairs = [(i, j) for i, row in enumerate(wins) for j, count in enumerate(row) for _ in range(count)]
    return [PairComparison(first, second, first, unit) for unit, (first, second) in enumerate(pairs)]


def test_strengths_are_the_published_ones_between_bounds() -> None:
    ranked = rank_sides(range(4), choices(PUBLISHED), seed=1)
    strengths = [side.strength for side in ranked.sides]
    assert strengths == pytest.approx((0.640, 1.043, 0.660, 2.270), abs=5e-4)
    assert all(side.low < side.strength < side.high for side in ranked.sides)  # type: ignore[operator]  # none is undefined
    assert [(side.wins, side.losses, side.ties) for side in ranked.sides] == [(3, 7, 0), (8, 5, 0), (4, 8, 0), (7, 2, 0)]
    assert ranked.comparisons == 22


def test_the_same_seed_has_the_same_bounds() -> None:
    first, again, third = (rank_sides(range(4), choices(PUBLISHED), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != third


def test_a_side_that_never_lost_has_no_strength_but_a_share() -> None:
    ranked = rank_sides("ab", [PairComparison("a", "b", "a", unit) for unit in range(8)], seed=1)
    assert ranked.sides[0].strength is ranked.sides[0].low is None
    assert ranked.reason is not None
    (preference,) = ranked.preferences
    assert (preference.share.estimate, preference.share.high) == (1.0, 1.0)
    assert 0.6 < preference.share.low < 0.7  # Wilson's bound of 8 of 8: 0.676


def test_draws_without_strengths_widen_the_interval() -> None:
    ranked = rank_sides("ab", [PairComparison("a", "b", "b" if unit == 0 else "a", unit) for unit in range(8)], seed=1)
    assert ranked.smoothed > 0.2  # (7/8)^8: many draws have no loss
    a = ranked.sides[0]
    assert a.strength == pytest.approx(math.sqrt(7))
    assert a.high is not None
    assert a.high >= math.sqrt(17)  # of a draw of eight wins, with half a win both ways


def test_several_choices_on_one_pair_are_no_further_pairs() -> None:
    alone = [PairComparison("a", "b", "ab"[unit % 3 == 0], unit) for unit in range(30)]
    repeated = [PairComparison("a", "b", choice.winner, choice.unit) for choice in alone for _ in range(5)]
    narrow, wide = (rank_sides("ab", chosen, seed=3) for chosen in (alone, repeated))
    for side, same_side in zip(narrow.sides, wide.sides, strict=True):
        assert (side.low, side.high) == pytest.approx((same_side.low, same_side.high))
    one_share, other_share = narrow.preferences[0].share, wide.preferences[0].share
    assert one_share.estimate == other_share.estimate
    assert other_share.half_width == pytest.approx(one_share.half_width, rel=0.15)  # Student instead of normal


def test_a_choice_counts_as_many_pairs_as_it_stands_for() -> None:
    weighted = [PairComparison("a", "b", "a", 0, 3.0), PairComparison("a", "b", "b", 1, 1.0)]
    ranked = rank_sides("ab", weighted, seed=1)
    assert ranked.sides[0].strength == pytest.approx(math.sqrt(3))
    (preference,) = ranked.preferences
    assert preference.share.estimate == 0.75
    assert preference.share.method == "wilson-effective"


def test_a_tie_is_half_a_win_for_each() -> None:
    chosen = [PairComparison("a", "b", winner, unit) for unit, winner in enumerate("aaab")] + [
        PairComparison("a", "b", None, 9)
    ]
    ranked = rank_sides("ab", chosen, seed=1)
    assert ranked.sides[0].strength == pytest.approx(math.sqrt(3.5 / 1.5))
    assert [(side.wins, side.losses, side.ties) for side in ranked.sides] == [(3, 1, 1), (1, 3, 1)]
    assert ranked.preferences[0].share.estimate == pytest.approx(0.7)


def test_the_intervals_cover_the_true_strengths() -> None:
    # 200 queues of 120 pairs between three sides whose strengths are 2, 1 and 0.5: geometric mean 1.
    truth, rng, covered = (2.0, 1.0, 0.5), np.random.default_rng(7), [0, 0, 0]
    for seed in range(200):
        chosen = []
        for unit in range(120):
            first, second = sorted(rng.choice(3, size=2, replace=False).tolist())
            wins = rng.random() < truth[first] / (truth[first] + truth[second])
            chosen.append(PairComparison(first, second, first if wins else second, unit))
        for place, side in enumerate(rank_sides(range(3), chosen, seed=seed, resamples=399).sides):
            assert side.low is not None
            assert side.high is not None
            covered[place] += side.low <= truth[place] <= side.high
    assert min(covered) / 200 >= 0.9  # two standard errors below 0.93 with 200 queues


@pytest.mark.parametrize(
    ("sides", "comparison", "message"),
    [("aa", None, "twice"), ("ab", PairComparison("a", "c", "a", 0), "not ranked"), ("a", None, "at least 2")],
)
def test_sides_and_choices_belong_together(sides: str, comparison: PairComparison | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_sides(sides, [comparison] if comparison else [], seed=1)
    with pytest.raises(ValueError, match="resamples"):
        rank_sides("ab", [], seed=1, resamples=10)


def test_nothing_compared_is_undefined() -> None:
    ranked = rank_sides("ab", [], seed=1)
    assert (ranked.comparisons, ranked.preferences, ranked.sides[0].strength) == (0, (), None)


@pytest.mark.parametrize(
    "values", [("a", "a", None, 0), ("a", "b", "c", 0), ("a", "b", "a", 0, 0.0), ("a", "b", "a", 0, math.inf)]
)
def test_a_choice_is_between_two_sides_with_a_weight(values: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"itself|neither|weight"):
        PairComparison(*values)  # type: ignore[arg-type]  # what is wrong is the point
