"""Cases that were drawn with unequal known chances: the weighted mean, its cluster-robust error, the effective number."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics import quantile
from promptuary.statistics.mean_interval import is_rare
from promptuary.statistics.sample import ClusteredSample, Floats, finite_array


@dataclass(frozen=True, eq=False)
class WeightedSample:
    """Cases with the number of cases that each stands for.

    Attributes:
        weights: 1/π, the inverse of the chance with which a case was drawn, scaled to a mean of 1, shape (n,); 0 for a case
            that was not drawn.
        clusters: the cluster of each case, in the same order; None for a case that stands alone, or for no clusters at all.
        groups: the number of clusters with a weight; the number of such cases without clusters.
    """

    weights: Floats
    clusters: Sequence[Hashable | None] | None
    groups: int

    @classmethod
    def of_weights(cls, weights: Sequence[float], clusters: Sequence[Hashable | None] | None = None) -> "WeightedSample":
        """Check the weights and scale them.

        Args:
            weights: one a case, above 0, in any unit.
            clusters: of the same cases, in the same order.

        Raises:
            ValueError: no case, a weight that is not a number above 0, or another number of clusters.
        """
        values = checked_weights(weights)
        count = ClusteredSample.of(values.tolist(), clusters, "weight").count
        return cls(values / values.mean(), clusters, count)

    def sample(self, values: Floats) -> ClusteredSample:
        """Return the values of all cases, shape (n,), with the clusters of the draw."""
        return replace(self._numbered, values=finite_array(values))

    @cached_property
    def _numbered(self) -> ClusteredSample:
        """The weights with the clusters of the draw, which are numbered once."""
        return ClusteredSample.of(self.weights.tolist(), self.clusters, "weight")

    def mean(self, values: Floats) -> float:
        """Return the weighted mean over the drawn cases: Hájek's estimator Σ (v/π) / Σ (1/π); never beyond their values."""
        mean = float((self.weights * values).mean())
        known = values[self.weights > 0]
        return min(max(mean, float(known.min())), float(known.max()))

    def contributions(self, values: Floats) -> Floats:
        """Return per-case terms, shape (n,), whose plain mean is `mean` and whose spread gives its error.

        Source: the linearisation of Hájek's estimator, Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992),
        result 5.7.1 and section 5.11.
        """
        centre = self.mean(values)
        return self.weights * (values - centre) + centre

    def touched(self, off: NDArray[np.bool_]) -> int:
        """Count the clusters with at least one drawn case that is `off`."""
        return self.sample(self.weights).touched(off & (self.weights > 0))

    def is_rare(self, off: NDArray[np.bool_]) -> bool:
        """Return whether too few cases are `off` for a normal approximation, as `mean_interval.is_rare` by weight.

        Many cases of a small weight show little of those with a large one, which decide the mean: the clusters that are `off`
        count at most as the number of typical weights Σw²/Σw that their `off` cases have together.
        """
        sums = self.sample(self.weights).sums(self.weights)
        typical = float(sums @ sums / sums.sum())
        by_weight = float(self.weights[off].sum()) / typical
        return is_rare(min(float(self.touched(off)), by_weight), self.effective())

    def error(self, contributions: Floats) -> float:
        """Return the cluster-robust error of the contributions' mean, as if each drawn cluster were left out once.

        The sum of a cluster with the share h of all weights counts 1/(1 - h) times, since it pulls the mean towards itself;
        with equal shares of G drawn clusters this is √(G/(G - 1)). It is 0 for one cluster, which shows no spread. Source: the
        jackknife estimator CR3 in MacKinnon, Nielsen and Webb, Cluster-robust inference: a guide to empirical practice,
        J. Econometrics 232 (2023), section 2.4; times √(C/(C - 1)) for the C clusters, drawn or not, of a draw that is itself
        one of many.
        """
        sample = self.sample(contributions)
        if self.groups < 2 or sample.error() == 0.0:
            return 0.0
        shares = sample.sums(self.weights) / self.weights.sum()
        residuals = sample.sums(sample.values - sample.mean) / (1 - shares)
        left_out = (self.groups - 1) / self.groups * sample.count / (sample.count - 1)
        return math.sqrt(left_out * float(residuals @ residuals)) / sample.n

    def quantile(self, level: float, factor: float = 1.0) -> float:
        """Return Student's quantile on the effective number of drawn clusters - 2, with so many times the draws."""
        return quantile.student_t(level, max(1, round(self.effective() * factor) - 2))

    def effective(self) -> float:
        """Return the effective number of drawn cases, (Σ w)²/Σ w² over clusters, or over cases without clusters.

        This is the number for clusters whose values are all equal. Source: Kish, Survey Sampling (1965), section 11.7.
        """
        return kish_number(self.sample(self.weights).sums(self.weights))

    def least(self) -> float:
        """Return the number of cases that the sample stands for at least: as if only cases of the largest weight differed."""
        return min(self.effective(), float(self.weights.sum() / self.weights.max()))

    def size(self, values: Floats, variance: float, least: float | None = None) -> float:
        """Return the number of independent cases of `variance` whose mean has the error of the values' weighted mean.

        As `mean_interval.effective_size`: at least `least`, `effective` without it, and equal to it where the values show no
        spread.
        """
        lowest = self.effective() if least is None else least
        error = self.error(self.contributions(values))
        if error == 0.0:
            return lowest
        cases = kish_number(self.weights)
        alone = cases * variance / self.mean((values - self.mean(values)) ** 2)
        return max(lowest, min(max(cases, alone), variance / error**2))


def checked_weights(weights: Sequence[float]) -> Floats:
    """Return weights as floats, shape (n,).

    Raises:
        ValueError: for none, or one that is no finite number above 0, with its position.
    """
    values = finite_array(weights, "weight")
    wrong = np.flatnonzero(values <= 0)
    if wrong.size:
        place = int(wrong[0])
        raise ValueError(f"The weight at position {place} is {values[place]}; a weight is a number above 0.")
    return values


def kish_number(weights: Floats) -> float:
    """Return the number of equal weights with the same information, (Σ w)²/Σ w²."""
    return float(weights.sum() ** 2 / (weights @ weights))
