from dataclasses import astuple

import numpy as np
import pytest

from promptuary.statistics.agreement import Agreement, DistanceMetric, cohen_kappa, gwet_ac1, krippendorff_alpha
from promptuary.statistics.reliability.ac1 import ac1_sums
from promptuary.statistics.reliability.alpha import alpha_sums, number_alpha_sums
from promptuary.statistics.reliability.kappa import kappa_sums
from promptuary.statistics.reliability.ratings import count_cells, count_labels, renumbered, used_labels

LABELS = 12
CODES = np.random.default_rng(4).integers(-1, LABELS, (4, 300))
CODES[1, :200] = CODES[0, :200]
ROWS = [[None if code < 0 else code for code in row] for row in CODES.tolist()]


def assert_equal(first: Agreement, second: Agreement) -> None:
    for one_figure, other_figure in zip(astuple(first), astuple(second), strict=True):
        assert one_figure == (pytest.approx(other_figure, abs=1e-12) if isinstance(other_figure, float) else other_figure)


def test_units_with_the_same_labels_are_counted_once() -> None:
    counts, multiplicities = count_labels(np.array([[0, 1, -1, 2, -1], [1, 0, 2, -1, -1]]), 3)
    assert sorted(zip(counts.tolist(), multiplicities.tolist(), strict=True)) == [
        ([0, 0, 0], 1),
        ([0, 0, 1], 2),
        ([1, 1, 0], 2),
    ]


@pytest.mark.parametrize("metric", list(DistanceMetric))
def test_alpha_of_numbered_labels_is_that_of_rows(metric: DistanceMetric) -> None:
    counts, multiplicities = count_labels(CODES, LABELS)
    sums = alpha_sums(counts, metric, np.arange(float(LABELS)), multiplicities)
    assert_equal(sums.agreement(), krippendorff_alpha(ROWS, metric=metric, categories=range(LABELS)))


def test_ac1_and_kappa_of_numbered_labels_are_those_of_rows() -> None:
    assert_equal(ac1_sums(*count_labels(CODES, LABELS)).agreement(), gwet_ac1(ROWS, categories=range(LABELS)))
    first, second = CODES[:2, (CODES[:2] >= 0).all(axis=0)]
    kappa = kappa_sums(count_cells(first, second, LABELS)).agreement()
    assert_equal(kappa, cohen_kappa(ROWS[0], ROWS[1], categories=range(LABELS)))


def test_alpha_of_a_table_of_numbers_is_that_of_rows() -> None:
    numbers = np.where(CODES < 0, np.nan, CODES)
    assert_equal(number_alpha_sums(numbers).agreement(), krippendorff_alpha(ROWS, metric=DistanceMetric.INTERVAL))
    assert number_alpha_sums(np.full((2, 3), np.nan)).agreement().reason == "undefined: no unit has two labels"


def test_labels_are_numbered_in_the_order_of_their_first_use() -> None:
    codes = np.array([[4, -1, 2], [2, 7, -1]])
    used = used_labels(codes)
    assert used.tolist() == [4, 2, 7]
    assert renumbered(codes, used).tolist() == [[0, -1, 1], [1, 2, -1]]
