"""Cases drawn at random for labelling, each with the recorded chance of it: whom a labelled case stands for."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.sample import ClusteredSample, Floats

MINIMUM_LABELS = 30
MINIMUM_CLUSTERS = 5
LOWEST_MINIMUM = 10


class TooFewLabelsError(ValueError):
    """The labels do not carry a correction yet.

    Attributes:
        missing: how many further labels (or labels from further clusters) would.
    """

    def __init__(self, message: str, missing: int) -> None:
        """Keep the number beside the sentence, for a page that shows it on its own."""
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, eq=False)
class LabelSample:
    """The labelled part of all cases, as weights.

    Attributes:
        drawn: whether each case is labelled, shape (n,).
        weights: 1/π for a labelled case and 0 for the others, scaled to a mean of 1, shape (n,).
        clusters: the cluster of each case, or None.
        groups: how many clusters hold a label; the number of labels without clusters.
    """

    drawn: NDArray[np.bool_]
    weights: Floats
    clusters: Sequence[Hashable] | None
    groups: int

    @classmethod
    def of(
        cls,
        drawn: Sequence[bool],
        probabilities: Sequence[float],
        clusters: Sequence[Hashable] | None,
        minimum: int,
    ) -> "LabelSample":
        """Check that the labels are a random draw with recorded chances, and enough of them.

        Raises:
            TooFewLabelsError: fewer labels than `minimum`, or from fewer than 5 clusters.
            ValueError: no chance for a case, one outside (0, 1], a case that was certain to be drawn but has no label, or a
                minimum below 10.
        """
        if minimum < LOWEST_MINIMUM:
            raise ValueError(f"A minimum of {minimum} labels carries no interval; ask for at least {LOWEST_MINIMUM}.")
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
        """Values of all cases, shape (n,), with the clusters of the draw."""
        return ClusteredSample.of(values.tolist(), self.clusters)

    def mean(self, values: Floats) -> float:
        """The weighted mean over the labelled cases: Hájek's, Σ (v/π) / Σ (1/π)."""
        return float((self.weights * values).mean())

    def contributions(self, values: Floats) -> Floats:
        """Per-case terms whose plain mean is `mean` and whose spread is its error, shape (n,).

        Source: the linearisation of Hájek's estimator, Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992),
        result 5.7.1 and section 5.11.
        """
        centre = self.mean(values)
        return self.weights * (values - centre) + centre

    def touched(self, off: NDArray[np.bool_]) -> int:
        """Count the clusters with at least one labelled case that is `off`."""
        return self.sample(self.weights).touched(off & self.drawn)

    def error(self, contributions: Floats) -> float:
        """The cluster-robust error of the contributions' mean, raised by √(G/(G - 1)) for the G labelled clusters behind it."""
        return self.sample(contributions).error() * math.sqrt(self.groups / (self.groups - 1))

    def effective(self) -> float:
        """The effective number of labels were clusters to agree wholly, (Σ w)²/Σ w² over clusters; of labels without clusters.

        Source: Kish, Survey Sampling (1965), section 11.7.
        """
        return _kish(self.sample(self.weights).sums(self.weights))

    def size(self, values: Floats, variance: float) -> float:
        """How many independent labels, each of `variance`, give the weighted mean of the labelled `values` its error.

        As `interval.effective_size`: at least `effective`, and that where the values show no spread.
        """
        error = self.error(self.contributions(values))
        if error == 0.0:
            return self.effective()
        labels = _kish(self.weights)
        alone = labels * variance / self.mean((values - self.mean(values)) ** 2)
        return max(self.effective(), min(max(labels, alone), variance / error**2))


def _kish(weights: Floats) -> float:
    """The number of equal weights that would carry as much."""
    return float(weights.sum() ** 2 / (weights @ weights))
