"""The difference of two independent estimates, against published values and by coverage."""

import random

import pytest

from promptuary.statistics import quantile
from promptuary.statistics.independent import Bounds, independent_difference
from promptuary.statistics.mean_interval import wilson_interval


def share(successes: int, trials: int) -> Bounds:
    low, high = wilson_interval(successes, trials, quantile.normal(0.95))
    return Bounds(successes / trials, low, high)


@pytest.mark.parametrize(
    ("candidate", "baseline", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),  # Newcombe 1998, table II, method 10
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ],
)
def test_a_difference_of_shares_is_newcombes(
    candidate: tuple[int, int], baseline: tuple[int, int], low: float, high: float
) -> None:
    difference = independent_difference(share(*candidate), share(*baseline))
    assert (difference.low, difference.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_rare_errors_are_covered_in_at_least_93_percent() -> None:
    numbers, covered = random.Random(7), 0
    for _ in range(1000):
        first, second = (sum(numbers.random() < rate for _ in range(200)) for rate in (0.05, 0.02))
        difference = independent_difference(share(first, 200), share(second, 200))
        covered += difference.low <= 0.03 <= difference.high
    assert covered >= 930
