import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.statistics.mean import exact_mean, known_mean, repeat_means

numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("values", "mean"), [([0.1] * 10, 0.1), ([1e16, 1.0, -1e16], 1 / 3), ([2, 4], 3.0), ([0.5], 0.5)])
def test_a_mean_has_an_exact_sum(values: list[float], mean: float) -> None:
    assert exact_mean(values) == mean


@given(st.lists(numbers, min_size=1, max_size=20))
def test_a_mean_is_the_mean_of_the_fractions(values: list[float]) -> None:
    assert exact_mean(values) == pytest.approx(float(sum(map(Fraction, values)) / len(values)), rel=1e-15)


def test_a_mean_needs_a_value() -> None:
    with pytest.raises(ValueError, match="no value"):
        exact_mean([])


@pytest.mark.parametrize(
    ("values", "mean"),
    [([1.0, None, 0.0], 0.5), ([math.nan, 0.25], 0.25), ([None, math.nan], None), ([], None), ([0.0], 0.0)],
)
def test_a_value_that_is_not_known_is_left_out(values: list[float | None], mean: float | None) -> None:
    assert known_mean(values) == mean


@given(st.lists(numbers, min_size=1, max_size=20), st.lists(st.sampled_from([None, math.nan]), max_size=5))
def test_unknown_values_change_no_mean(known: list[float], unknown: list[float | None]) -> None:
    assert known_mean([*unknown, *known]) == exact_mean(known)


def test_an_infinite_value_is_an_error_and_not_unknown() -> None:
    with pytest.raises(ValueError, match="infinite"):
        known_mean([1.0, math.inf])


def test_repeats_are_averaged_in_the_order_of_the_cases() -> None:
    assert list(repeat_means({"b": [1, 0], "a": [1, 1, 1]}).items()) == [("b", 0.5), ("a", 1.0)]


def test_a_case_without_a_score_is_not_a_zero() -> None:
    with pytest.raises(ValueError, match="'b' has no scored repeat"):
        repeat_means({"a": [1.0], "b": []})


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_named_with_its_case(score: float) -> None:
    with pytest.raises(ValueError, match="score of the case 'b' at position 1"):
        repeat_means({"a": [1.0], "b": [0.5, score]})
