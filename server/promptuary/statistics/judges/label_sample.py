"""Cases drawn at random for labelling, with the recorded chance of each: how many cases a labelled case stands for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.sample import ClusteredSample
from promptuary.statistics.weighted_sample import WeightedSample, checked_weights

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
        weights: how many cases each case stands for, labelled or not, above 0; None where all stand for the same number.
    """

    probabilities: Sequence[float]
    clusters: Sequence[Hashable] | None = None
    minimum: int = MINIMUM_LABELS
    weights: Sequence[float] | None = None


@dataclass(frozen=True, eq=False)
class LabelSample(WeightedSample):
    """The labelled part of all cases: a case without a label has the weight 0.

    Attributes:
        drawn: whether each case is labelled, shape (n,).
    """

    drawn: NDArray[np.bool_]

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
        if design.weights is not None:
            if len(design.weights) != len(drawn):
                raise ValueError(f"There are {len(drawn)} cases but {len(design.weights)} weights; pass one a case.")
            expansion = expansion * checked_weights(design.weights)
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
        return cls(expansion * (mask.size / expansion.sum()), clusters, groups, mask)
