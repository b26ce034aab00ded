"""The error of a corrected mean: each cluster is left out once, and the judge's weight is chosen again each time."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from promptuary.statistics.sample import Floats
from promptuary.statistics.weighted_sample import WeightedSample

_LABEL_WEIGHT, _LABELS, _LABELLED_SCORES, _WEIGHT, _SCORES = range(5)


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """What a corrected mean needs of each cluster, one row each, shape (C, 5).

    Attributes:
        rows: the sums of v, v·y, v·f, w and w·f, with v the weight of a label y (0 without one), w that of a case, labelled or
            not, and f the judge's score.
    """

    rows: Floats

    @classmethod
    def of(cls, draw: WeightedSample, whole: WeightedSample, truth: Floats, scores: Floats) -> Self:
        """Sum the cases of each cluster.

        Args:
            draw: the labelled cases; the others have the weight 0.
            whole: all cases.
            truth: the label of each case, shape (n,); any number where there is none.
            scores: of the judge, shape (n,).
        """
        sample = draw.sample(truth)
        terms = (draw.weights, draw.weights * truth, draw.weights * scores, whole.weights, whole.weights * scores)
        return cls(np.stack([sample.sums(term) for term in terms], axis=1))

    def error(self) -> float:
        """Return the standard error of the corrected mean: √((C - 1)/C · Σ_c (θ̂₋c - θ̂)²), θ̂₋c without the cluster c.

        λ is chosen from the same labels, and with few labelled clusters its own chance is a part of the error, which the
        spread of the contributions at one λ does not show. A cluster with a large share of the weights counts for more, as in
        CR3. Source: the jackknife over clusters, Efron and Stein, Annals of Statistics 9 (1981), and MacKinnon, Nielsen and
        Webb, J. Econometrics 232 (2023), section 2.4.
        """
        whole = self.rows.sum(axis=0, keepdims=True)
        squares = self.rows.T @ self.rows
        estimate = self._estimates(whole, np.zeros_like(whole), squares)
        count = len(self.rows)
        distances = self._estimates(whole - self.rows, self.rows, squares) - estimate
        return math.sqrt((count - 1) / count * float(distances @ distances))

    @staticmethod
    def _estimates(totals: Floats, omitted: Floats, squares: Floats) -> Floats:
        """Return the corrected mean for each row of totals, with its own λ.

        λ minimises the spread of Σ_c (l_c + λ s_c)², l the linearised mean of the labels and s the linearised shift, the mean
        score of all cases - that of the labelled ones. Both are linear in the sums of a cluster.

        Args:
            totals: the sums over the clusters that are left, shape (k, 5).
            omitted: the sums of the cluster that is left out, shape (k, 5).
            squares: the sum over all clusters of the outer product of their sums, shape (5, 5).
        """
        label, labelled = totals[:, _LABELS] / totals[:, _LABEL_WEIGHT], totals[:, _LABELLED_SCORES] / totals[:, _LABEL_WEIGHT]
        score = totals[:, _SCORES] / totals[:, _WEIGHT]
        of_labels, of_shift = np.zeros_like(totals), np.zeros_like(totals)
        of_labels[:, _LABELS], of_labels[:, _LABEL_WEIGHT] = 1.0, -label
        of_labels /= totals[:, [_LABEL_WEIGHT]]
        of_shift[:, _LABELLED_SCORES], of_shift[:, _LABEL_WEIGHT] = -1.0, labelled
        of_shift /= totals[:, [_LABEL_WEIGHT]]
        of_shift[:, _SCORES], of_shift[:, _WEIGHT] = 1 / totals[:, _WEIGHT], -score / totals[:, _WEIGHT]
        omitted_shift = np.sum(of_shift * omitted, axis=1)
        product = np.sum((of_labels @ squares) * of_shift, axis=1) - np.sum(of_labels * omitted, axis=1) * omitted_shift
        variance = np.sum((of_shift @ squares) * of_shift, axis=1) - omitted_shift**2
        tuning = np.clip(np.divide(-product, variance, out=np.zeros_like(product), where=variance > 0), 0.0, 1.0)
        estimates: Floats = label + tuning * (score - labelled)
        return estimates
