import numpy as np
import pytest

from promptuary.statistics.reliability.distinct_rows import SparseColumns, distinct_rows


@pytest.mark.parametrize("columns", [1, 3, 40])
def test_distinct_rows_are_counted_in_the_order_of_numpy(columns: int) -> None:
    table = np.random.default_rng(columns).integers(-2, 3, (500, columns)) / 3
    table[::7] = table[0]
    table[1::9] = -0.0
    rows, counts = distinct_rows(table)
    expected_rows, expected_counts = np.unique(table + 0.0, axis=0, return_counts=True)
    assert np.array_equal(rows, expected_rows)
    assert np.array_equal(counts, expected_counts)


def test_rows_that_are_counted_already_add_their_counts() -> None:
    rows, counts = distinct_rows(np.array([[2.0, 1.0], [0.0, 5.0], [2.0, 1.0]]), np.array([3.0, 4.0, 0.5]))
    assert rows.tolist() == [[0.0, 5.0], [2.0, 1.0]]
    assert counts.tolist() == [4.0, 3.5]


@pytest.mark.parametrize(("shape", "rows", "counts"), [((0, 4), 0, []), ((5, 0), 1, [5.0]), ((0, 0), 0, [])])
def test_a_table_without_places_has_at_most_one_distinct_row(shape: tuple[int, int], rows: int, counts: list[float]) -> None:
    distinct, multiplicities = distinct_rows(np.zeros(shape))
    assert (distinct.shape, multiplicities.tolist()) == ((rows, shape[1]), counts)


def test_sums_of_sparse_columns_are_those_of_the_whole_table() -> None:
    rng = np.random.default_rng(3)
    rows, columns, values = rng.integers(20, size=60), rng.integers(9, size=60), rng.normal(size=60)
    table = np.zeros((20, 9))
    np.add.at(table, (rows, columns), values)
    weights = rng.integers(0, 5, (7, 20)).astype(np.float64)
    sparse = SparseColumns(rows, columns, values, (20, 9))
    assert len(sparse) == 20
    assert sparse.weighted_sums(weights) == pytest.approx(weights @ table)
