import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.statistics.pairwise.ranking import bradley_terry, count_wins

counts = st.integers(1, 4).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(1, 9), min_size=size + 1, max_size=size + 1), min_size=size + 1, max_size=size + 1
    )
)


def test_strengths_agree_with_published_values() -> None:
    # The worked example of Bradley and Terry's model with four sides, normalised to geometric mean 1.
    ranking = bradley_terry([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]])
    assert ranking.strengths == pytest.approx((0.640, 1.043, 0.660, 2.270), abs=5e-4)
    assert ranking.comparisons == 22


def test_two_sides_have_the_odds_of_their_wins() -> None:
    ranking = bradley_terry([[0, 9], [3, 0]])
    assert ranking.strengths == pytest.approx((math.sqrt(3), 1 / math.sqrt(3)))
    assert ranking.chance(0, 1) == pytest.approx(0.75)


@given(counts)
def test_expected_wins_are_the_wins(wins: list[list[int]]) -> None:
    # The likelihood's equations: at the maximum every side's expected number of wins is the number it has.
    matrix = [[0 if i == j else count for j, count in enumerate(row)] for i, row in enumerate(wins)]
    strengths = bradley_terry(matrix).strengths
    assert strengths is not None
    assert math.prod(strengths) == pytest.approx(1.0)
    for i, row in enumerate(matrix):
        expected = sum(
            (row[j] + matrix[j][i]) * strengths[i] / (strengths[i] + strengths[j]) for j in range(len(row)) if j != i
        )
        assert expected == pytest.approx(sum(row), rel=1e-6)


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 3], [0, 0]],  # one side never lost
        [[0, 0], [0, 0]],  # nothing was compared
        [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],  # two islands
        [[0, 1, 2, 2], [1, 0, 2, 2], [0, 0, 0, 1], [0, 0, 1, 0]],  # one pair always above the other
    ],
)
def test_sides_that_are_not_connected_both_ways_have_no_strengths(wins: list[list[int]]) -> None:
    ranking = bradley_terry(wins)
    assert ranking.strengths is None
    assert ranking.reason is not None
    assert ranking.reason.startswith("undefined")
    assert ranking.chance(0, 1) is None
    assert bradley_terry(wins, prior=0.5).strengths is not None


def test_a_tie_is_half_a_win_for_each() -> None:
    wins = count_wins(["a", "b"], [("a", "b"), ("a", "b"), ("b", "a")], ties=[("a", "b")])
    assert wins == [[0, 2.5], [1.5, 0]]


def test_a_choice_names_two_ranked_sides() -> None:
    with pytest.raises(ValueError, match="not ranked"):
        count_wins(["a", "b"], [("a", "c")])
    with pytest.raises(ValueError, match="itself"):
        count_wins(["a", "b"], [("a", "a")])
    with pytest.raises(ValueError, match="twice"):
        count_wins(["a", "a"], [])


@pytest.mark.parametrize(
    "wins", [[], [[0]], [[0, 1]], [[0, 1], [1]], [[0, -1], [1, 0]], [[0, math.nan], [1, 0]], [[1, 1], [1, 0]]]
)
def test_wins_that_are_no_counts_of_pairs_are_refused(wins: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"wins"):
        bradley_terry(wins)


def test_a_prior_is_a_count() -> None:
    with pytest.raises(ValueError, match="prior"):
        bradley_terry([[0, 1], [1, 0]], prior=-1)
