"""Cases with the clusters they belong to, checked once: the input of each interval of a mean."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.mean import exact_mean

Floats = NDArray[np.float64]
ScoreRange = tuple[float, float]
UNIT_RANGE: ScoreRange = (0.0, 1.0)
# Below this share of the values' size a spread is the rounding of repeat means (0.1 + 0.2 against 0.3), not variation.
ROUNDING = 1e-12


class NoSpreadError(ValueError):
    """The data have no spread and no range that could take its place, so any width would be invented."""


def finite_array(values: Sequence[float] | Floats, noun: str = "score") -> Floats:
    """Return `values` as floats, shape (n,); raise ValueError if there are none, or for a NaN or infinity with its position."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"The {noun}s must be one flat sequence, one number a case; average the repeats first.")
    if array.size == 0:
        raise ValueError(f"There is no {noun}; give at least one case that was scored.")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        place = int(wrong[0])
        raise ValueError(f"The {noun} at position {place} is {array[place]}; leave unscored cases out and count them instead.")
    return array


def checked_range(bounds: ScoreRange) -> ScoreRange:
    """Return the range; raise ValueError unless it is two finite numbers in ascending order."""
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"The range {bounds!r} is not two finite numbers in ascending order, such as (0, 1).")
    return float(low), float(high)


def all_within(values: Floats, bounds: ScoreRange) -> bool:
    """Return whether each value lies in the closed range."""
    return bool(values.min() >= bounds[0] and values.max() <= bounds[1])


def is_binary(values: Floats) -> bool:
    """Return whether each value is exactly 0 or 1."""
    return bool(np.all((values == 0.0) | (values == 1.0)))


@dataclass(frozen=True, eq=False)
class ClusteredSample:
    """Per-case values and the cluster of each, with the cluster-robust error of their mean.

    Attributes:
        values: one finite number a case, shape (n,).
        codes: the cluster of each case, 0 … count - 1, shape (n,).
        count: the number of clusters, C; n where no clusters were given.
        clustered: whether clusters were given at all.
    """

    values: Floats
    codes: NDArray[np.intp]
    count: int
    clustered: bool

    @classmethod
    def of(cls, values: Sequence[float], clusters: Sequence[Hashable] | None, noun: str = "score") -> "ClusteredSample":
        """Check the values and number the clusters; a case whose cluster is None stands alone.

        Raises:
            ValueError: no case, a value that is not finite, or another number of clusters than of cases.
        """
        array = finite_array(values, noun)
        n = array.size
        if clusters is None:
            return cls(array, np.arange(n, dtype=np.intp), n, clustered=False)
        if len(clusters) != n:
            raise ValueError(f"There are {n} {noun}s but {len(clusters)} clusters; give one cluster a case, or none.")
        numbers: dict[Hashable, int] = {}
        codes = [
            numbers.setdefault(("alone", place) if cluster is None else ("shared", cluster), len(numbers))
            for place, cluster in enumerate(clusters)
        ]
        return cls(array, np.asarray(codes, dtype=np.intp), len(numbers), clustered=True)

    @property
    def n(self) -> int:
        """The number of cases."""
        return int(self.values.size)

    @property
    def independent(self) -> bool:
        """Whether no two cases share a cluster, so that the clusters carry no information."""
        return self.count == self.n

    @property
    def mean(self) -> float:
        """The mean over cases, summed exactly: equal values have exactly their own value as mean."""
        return exact_mean(self.values.tolist())

    def sums(self, values: Floats) -> Floats:
        """Sum per-case `values`, shape (n,), within each cluster; shape (C,)."""
        return np.bincount(self.codes, weights=values, minlength=self.count).astype(np.float64)

    def touched(self, off: NDArray[np.bool_]) -> int:
        """Count the clusters in which at least one case is `off`."""
        return int(np.count_nonzero(self.sums(off.astype(np.float64))))

    def error(self) -> float:
        """Compute the standard error of the mean: √(C/(C-1) · Σ_c (Σ_{i∈c} (x_i - x̄))²) / n; exactly 0 without spread.

        With clusters of one case it is s/√n. Source: Cameron and Miller, A Practitioner's Guide to Cluster-Robust
        Inference, J. Human Resources 50 (2015), section II, for a regression on the constant alone.

        Raises:
            NoSpreadError: fewer than two clusters.
        """
        if self.count < 2:
            raise NoSpreadError("One cluster shows no spread between clusters; give cases from at least two clusters.")
        residuals = self.sums(self.values - self.mean)
        variance = self.count / (self.count - 1) * float(residuals @ residuals) / self.n**2
        error = math.sqrt(variance)
        return 0.0 if error <= ROUNDING * float(np.abs(self.values).max()) else error
