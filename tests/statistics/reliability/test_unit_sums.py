from collections.abc import Sequence

import numpy as np
import pytest

from promptuary.statistics.reliability.ac1 import ac1_sums
from promptuary.statistics.reliability.alpha import DistanceMetric, alpha_sums
from promptuary.statistics.reliability.kappa import KappaWeights, kappa_sums
from promptuary.statistics.reliability.ratings import Label, Ratings
from promptuary.statistics.reliability.unit_sums import UnitSums

# Krippendorff (2011), data C: 4 observers by 12 units.
DATA_C: list[list[Label | None]] = [
    [None if label == "-" else int(label) for label in row.split()]
    for row in (
        "1 2 3 3 2 1 4 1 2 - - -",
        "1 2 3 3 2 2 4 1 2 5 - 3",
        "- 3 3 3 2 3 4 2 2 5 1 -",
        "1 2 3 3 2 4 4 1 2 5 1 -",
    )
]


def alpha(rows: Sequence[Sequence[Label | None]], metric: DistanceMetric = DistanceMetric.NOMINAL) -> UnitSums:
    ordered, numbers = metric is not DistanceMetric.NOMINAL, metric is DistanceMetric.INTERVAL
    table = Ratings.of(rows, None, ordered=ordered, numbers=numbers)
    return alpha_sums(table.counts, metric, table.numbers)


def test_units_with_equal_labels_are_one_row_with_a_count() -> None:
    sums = alpha([["a", "b", "a", "a"], ["a", "b", "a", "b"]])
    assert sorted(sums.multiplicities) == [1, 1, 2]
    assert sums.pairable == 4


@pytest.mark.parametrize("metric", [DistanceMetric.NOMINAL, DistanceMetric.ORDINAL, DistanceMetric.INTERVAL])
def test_an_interval_surrounds_the_coefficient_and_repeats_by_its_seed(metric: DistanceMetric) -> None:
    sums = alpha(DATA_C, metric)
    interval = sums.interval(seed=1)
    assert interval is not None
    assert interval.low < interval.estimate < interval.high <= 1
    assert (interval.method, interval.n) == ("unit-bootstrap", 11)
    assert interval == sums.interval(seed=1)
    assert interval != sums.interval(seed=2)


def test_where_all_agree_few_units_do_not_look_certain() -> None:
    few, many = (alpha([["a", "b"] * half] * 2).interval(seed=1) for half in (3, 300))
    assert few is not None
    assert many is not None
    # Wilson's lower bound of 6 of 6 is 0.6097; by chance 1 - 2 * 6 * 6 / (12 * 11) = 0.4545 of pairs agree.
    assert (few.estimate, few.high, few.method) == (1.0, 1.0, "unit-bootstrap-wilson")
    assert few.low == pytest.approx((0.60966 - 0.454545) / (1 - 0.454545), abs=1e-4)
    assert few.low < many.low < 1.0


def test_a_coefficient_that_is_undefined_has_no_interval() -> None:
    assert alpha([["a", "a"], ["a", "a"]]).interval(seed=1) is None
    assert alpha([["a", None], [None, "a"]]).interval(seed=1) is None
    assert alpha([[], []]).interval(seed=1) is None
    with pytest.raises(ValueError, match="199"):
        alpha(DATA_C).interval(seed=1, resamples=5)


@pytest.mark.parametrize("equal", [5, 50, 500])
def test_one_rare_label_leaves_kappa_and_alpha_open_and_not_ac1(equal: int) -> None:
    # One unit of all disagrees and no other has the rare label: many draws have no variation, and kappa could be anything.
    rows = [["a"] * equal + ["a"], ["a"] * equal + ["b"]]
    kappa = kappa_sums(np.array([[equal, 1.0], [0.0, 0.0]])).interval(seed=1)
    nominal = alpha(rows).interval(seed=1)
    ac1 = ac1_sums(Ratings.of(rows, None, ordered=False, numbers=False).counts).interval(seed=1)
    assert kappa is not None
    assert nominal is not None
    assert ac1 is not None
    assert (kappa.low, kappa.high) == (nominal.low, nominal.high) == (-1.0, 1.0)
    assert -1 < ac1.low < ac1.estimate < ac1.high <= 1


def test_a_single_unit_has_an_interval_of_some_width() -> None:
    interval = alpha([["a"], ["b"]]).interval(seed=1)
    assert interval is not None
    assert interval.low <= interval.estimate < interval.high  # no observed agreement is below none


def test_many_distinct_numbers_are_counted_by_moments() -> None:
    rng = np.random.default_rng(5)
    first = rng.normal(1e6, 1.0, size=4_000)
    rows = [first.tolist(), (first + rng.normal(0.0, 0.5, size=4_000)).tolist()]
    sums = alpha(rows, DistanceMetric.INTERVAL)
    assert sums.columns.shape[1] == 4
    # The variance of a difference is 0.25, that of two labels of different units 2 * (1 + 0.125).
    assert sums.agreement().value == pytest.approx(1 - 0.25 / 2.25, abs=0.01)
    interval = sums.interval(seed=1, resamples=199)
    assert interval is not None
    assert interval.low < interval.estimate < interval.high


@pytest.mark.parametrize(("units", "agreeing"), [(30, 0.8), (100, 0.6), (30, 0.95)])
def test_95_percent_intervals_of_kappa_cover_the_true_one(units: int, agreeing: float) -> None:
    rng = np.random.default_rng(11)
    half, other = agreeing / 2, (1 - agreeing) / 2
    kappa = (agreeing - 0.5) / 0.5
    covered = 0
    for draw in range(500):
        cells = rng.multinomial(units, [half, other, other, half]).reshape(2, 2).astype(np.float64)
        interval = kappa_sums(cells).interval(seed=draw, resamples=399)
        covered += interval is not None and interval.low <= kappa <= interval.high
    assert covered / 500 >= 0.9


def test_a_weighted_kappa_has_an_interval_over_cells() -> None:
    cells = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]], dtype=np.float64)
    sums = kappa_sums(cells, [[0, 1, 3], [1, 0, 6], [3, 6, 0]])
    assert sums.agreement().value == pytest.approx(0.34783, abs=5e-6)
    interval = sums.interval(seed=1)
    assert interval is not None
    # Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969): the large-sample error is near 0.07 for these data.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.07, abs=0.08)
    assert kappa_sums(cells, KappaWeights.QUADRATIC).interval(seed=1) is not None
