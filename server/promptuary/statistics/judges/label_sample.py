"""Cases drawn at random for labelling, with the recorded chance of each: how many cases a labelled case stands for."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics import quantile
from promptuary.statistics.sample import ClusteredSample, Floats

MINIMUM_LABELS = 30
MINIMUM_CLUSTERS = 5
LOWEST_MINIMUM = 10


class TooFewLabelsError(ValueError):
    """There are too few labels for a correction.

    Attributes:
        missing: the number of further labels (or of further clusters with a label) that are needed.
    """

    def __init__(self, message: str, missing: int) -> None:
        """Store the number beside the message, for a page that shows the number alone."""
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, eq=False)
class LabelDesign:
    """How the cases were drawn for labelling, and how many labels are needed.

    Attributes:
        probabilities: π, the recorded chance in (0, 1] with which each case was drawn, whether it is labelled or not. Where
            two versions are compared, both outputs of a case are drawn together.
        clusters: the cluster of each case, in the same order; None for a case that stands alone, or for no clusters at all.
        minimum: the smallest number of labelled cases that is accepted, ≥ 10; below about 30 the tuned interval is too narrow.
    """

    probabilities: Sequence[float]
    clusters: Sequence[Hashable] | None = None
    minimum: int = MINIMUM_LABELS


@dataclass(frozen=True, eq=False)
class LabelSample:
    """The labelled part of all cases, as weights.

    Attributes:
        drawn: whether each case is labelled, shape (n,).
        weights: 1/π for a labelled case and 0 for the others, scaled to a mean of 1, shape (n,).
        clusters: the cluster of each case, or None.
        groups: the number of clusters with a label; the number of labels without clusters.
    """

    drawn: NDArray[np.bool_]
    weights: Floats
    clusters: Sequence[Hashable] | None
    groups: int

    @classmethod
    def of(cls, drawn: Sequence[bool], design: LabelDesign) -> "LabelSample":
        """Check that the labels are a random draw with recorded chances, and that they are enough.

        Args:
            drawn: whether each case is labelled.
            design: how the same cases were drawn, in the same order.

        Raises:
            TooFewLabelsError: fewer labels than the design's minimum, or from fewer than 5 clusters.
            ValueError: a case without a chance, a chance outside (0, 1], a case that was certain to be drawn but has no label,
                or a minimum below 10.
        """
        probabilities, clusters, minimum = design.probabilities, design.clusters, design.minimum
        if minimum < LOWEST_MINIMUM:
            raise ValueError(f"A minimum of {minimum} labels is not enough for an interval; require at least {LOWEST_MINIMUM}.")
        if len(probabilities) != len(drawn):
            raise ValueError(
                f"There are {len(drawn)} cases but {len(probabilities)} inclusion probabilities; record one a case."
            )
        chances = np.asarray(probabilities, dtype=np.float64)
        wrong = np.flatnonzero(~((chances > 0) & (chances <= 1)))
        if wrong.size:
            place = int(wrong[0])
            raise ValueError(
                f"The inclusion probability at position {place} is {chances[place]}; record the chance of a draw, above 0 and "
                "at most 1. Labels that were picked by hand cannot correct a judge."
            )
        mask = np.asarray(drawn, dtype=np.bool_)
        count = int(mask.sum())
        if count < minimum:
            missing = minimum - count
            raise TooFewLabelsError(
                f"{count} cases are labelled and {minimum} are needed: {missing} labels are missing; draw more at random.",
                missing,
            )
        absent = int(np.count_nonzero(~mask & (chances == 1.0)))
        if absent:
            raise ValueError(
                f"{absent} cases were certain to be drawn but have no label; label them, for leaving them out biases the rest."
            )
        expansion = np.where(mask, 1 / chances, 0.0)
        groups = count
        if clusters is not None:
            groups = ClusteredSample.of(mask.astype(float).tolist(), clusters).touched(mask)
            if groups < MINIMUM_CLUSTERS:
                missing = MINIMUM_CLUSTERS - groups
                raise TooFewLabelsError(
                    f"The labels come from {groups} clusters and {MINIMUM_CLUSTERS} are needed: labels from {missing} further "
                    "clusters are missing; draw more at random.",
                    missing,
                )
        return cls(mask, expansion * (mask.size / expansion.sum()), clusters, groups)

    def sample(self, values: Floats) -> ClusteredSample:
        """Return the values of all cases, shape (n,), with the clusters of the draw."""
        return ClusteredSample.of(values.tolist(), self.clusters)

    def mean(self, values: Floats) -> float:
        """Return the weighted mean over the labelled cases: Hájek's estimator Σ (v/π) / Σ (1/π)."""
        return float((self.weights * values).mean())

    def contributions(self, values: Floats) -> Floats:
        """Return per-case terms, shape (n,), whose plain mean is `mean` and whose spread gives its error.

        Source: the linearisation of Hájek's estimator, Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992),
        result 5.7.1 and section 5.11.
        """
        centre = self.mean(values)
        return self.weights * (values - centre) + centre

    def touched(self, off: NDArray[np.bool_]) -> int:
        """Count the clusters with at least one labelled case that is `off`."""
        return self.sample(self.weights).touched(off & self.drawn)

    def error(self, contributions: Floats) -> float:
        """Return the cluster-robust error of the contributions' mean, as if each labelled cluster were left out once.

        The sum of a cluster with the share h of all weights counts 1/(1 - h) times, since it pulls the mean towards itself;
        with equal shares of G labelled clusters this is √(G/(G - 1)). Source: the jackknife estimator CR3 in MacKinnon,
        Nielsen and Webb, Cluster-robust inference: a guide to empirical practice, J. Econometrics 232 (2023), section 2.4.
        """
        sample = self.sample(contributions)
        if sample.error() == 0.0:
            return 0.0
        shares = sample.sums(self.weights) / self.weights.sum()
        residuals = sample.sums(sample.values - sample.mean) / (1 - shares)
        left_out = (self.groups - 1) / self.groups * sample.count / (sample.count - 1)
        return math.sqrt(left_out * float(residuals @ residuals)) / sample.n

    def quantile(self, level: float, factor: float = 1.0) -> float:
        """Return Student's quantile on the effective number of labelled clusters - 2, with so many times the labels."""
        return quantile.student_t(level, max(1, round(self.effective() * factor) - 2))

    def effective(self) -> float:
        """Return the effective number of labels, (Σ w)²/Σ w² over clusters, or over labels without clusters.

        This is the number for clusters whose labels are all equal. Source: Kish, Survey Sampling (1965), section 11.7.
        """
        return _kish(self.sample(self.weights).sums(self.weights))

    def size(self, values: Floats, variance: float) -> float:
        """Return the number of independent labels of `variance` whose mean has the error of the values' weighted mean.

        As `mean_interval.effective_size`: at least `effective`, and equal to it where the values show no spread.
        """
        error = self.error(self.contributions(values))
        if error == 0.0:
            return self.effective()
        labels = _kish(self.weights)
        alone = labels * variance / self.mean((values - self.mean(values)) ** 2)
        return max(self.effective(), min(max(labels, alone), variance / error**2))


def _kish(weights: Floats) -> float:
    """Return the number of equal weights with the same information, (Σ w)²/Σ w²."""
    return float(weights.sum() ** 2 / (weights @ weights))
