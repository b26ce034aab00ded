"""Equal rows of a table as one row with a count, and rows of which nearly all places are 0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.sample import Floats

_SIGN = np.uint64(1 << 63)


def distinct_rows(table: Floats, counts: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the distinct rows in ascending order, the first column first, and how often each occurs.

    The order is that of `numpy.unique` over rows, which is slow for wide ones, since it compares rows place by place. Here a
    row is one text of bytes that sorts as its numbers do: the sign bit of an IEEE 754 number flipped, and all bits of a
    negative one.

    Args:
        table: finite numbers, shape (rows, columns).
        counts: how often each row occurs, shape (rows,); None for once each.
    """
    if not table.size:
        total = float(len(table)) if counts is None else float(counts.sum())
        return table[:1], np.full(min(len(table), 1), total)
    bits = np.ascontiguousarray(table + 0.0).view(np.uint64)  # the sum turns -0.0 into 0.0
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(">u8")
    keys = ordered.view(np.dtype((np.void, ordered.itemsize * table.shape[1])))[:, 0]
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    is_first = np.concatenate([[True], ascending[1:] != ascending[:-1]])
    groups = np.cumsum(is_first) - 1
    weights = None if counts is None else counts[order]
    return table[order[is_first]] + 0.0, np.bincount(groups, weights=weights).astype(np.float64)


@dataclass(frozen=True, eq=False)
class SparseColumns:
    """A table of which nearly all places are 0, by its other places.

    Attributes:
        rows: the row of each place, shape (places,).
        columns: the column of each place, shape (places,).
        values: the number in each place, shape (places,); places that are named twice add up.
        shape: the number of rows and of columns.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: Floats
    shape: tuple[int, int]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def weighted_sums(self, weights: Floats) -> Floats:
        """Return the sums of the columns, shape (draws, columns), with the weights of the rows, shape (draws, rows)."""
        sums = np.empty((len(weights), self.shape[1]))
        for draw, row_weights in enumerate(weights):
            sums[draw] = np.bincount(self.columns, row_weights[self.rows] * self.values, minlength=self.shape[1])
        return sums
