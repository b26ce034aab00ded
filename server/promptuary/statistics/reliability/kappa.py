"""Cohen's kappa as sums over the cells of a contingency table."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from promptuary.statistics.reliability.unit_sums import Shares, UnitSums
from promptuary.statistics.sample import Floats


class KappaWeights(StrEnum):
    """How much a disagreement counts in a weighted kappa, by the distance of the two categories in their order."""

    LINEAR = "linear"  # by the distance
    QUADRATIC = "quadratic"  # by the squared distance


Weights = KappaWeights | Sequence[Sequence[float]] | None


def kappa_sums(cells: Floats, weights: Weights = None) -> UnitSums:
    """Return kappa's sums: κ = 1 - Σ v·o / Σ v·e over the cells.

    Source: Cohen, Educ. Psych. Measurement 20 (1960) 37-46; weighted, with weights of disagreement: Cohen, Psychological
    Bulletin 70 (1968) 213-220.

    Args:
        cells: cells[i][j] units that the first observer put in category i and the second in j; square, 0 or more.
        weights: None for 1 on every disagreement; or a matrix v of the table's shape, ≥ 0 and 0 on the diagonal.

    Raises:
        ValueError: weights that do not fit the table.
    """
    size = len(cells)
    name = "cohen-kappa" if weights is None else "cohen-kappa-weighted"
    penalties = _penalties(weights, size)
    largest = float(penalties.max(initial=0.0))
    scaled = penalties / largest if largest > 0 else penalties
    rows, columns = np.nonzero(cells)
    sides = np.eye(size)
    sums = np.column_stack([scaled[rows, columns], sides[rows], sides[columns]])
    return UnitSums(name, sums, cells[rows, columns], _shares(scaled), round(float(cells.sum())))


def _shares(penalties: Floats) -> Shares:
    """Return the function of disagreement, row totals and column totals."""
    size = len(penalties)

    def shares(sums: Floats) -> tuple[Floats, Floats]:
        first, second = sums[:, 1 : size + 1], sums[:, size + 1 :]
        n = first.sum(axis=1)
        return 1 - sums[:, 0] / n, 1 - ((first @ penalties) * second).sum(axis=1) / n**2

    return shares


def _penalties(weights: Weights, size: int) -> Floats:
    """Return the weight of disagreement of each cell; shape (size, size)."""
    if weights is None:
        return 1.0 - np.eye(size)
    if isinstance(weights, KappaWeights):
        steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
        return steps if weights is KappaWeights.LINEAR else steps**2
    matrix = np.asarray(weights, dtype=np.float64)
    if matrix.shape != (size, size):
        raise ValueError(f"The weights have the shape {matrix.shape}, the table {(size, size)}; give one weight a cell.")
    if not np.all(np.isfinite(matrix)) or matrix.min() < 0 or np.any(np.diag(matrix) != 0):
        raise ValueError("The weights are not 0 on the diagonal and 0 or more elsewhere; give weights of disagreement.")
    return matrix
