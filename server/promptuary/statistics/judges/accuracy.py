"""How well a judge agrees with people: sensitivity, specificity, kappa, AC1 and a curve, weighted by the labels' draw."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics import quantile
from promptuary.statistics.agreement import NO_VARIATION, Agreement, table_kappa
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import wilson_interval
from promptuary.statistics.sample import ROUNDING, ClusteredSample, Floats, finite_array

RESAMPLES = 499
CURVE_PARTS = 5
_MANY_LABELS = 100_000
"""The most labels for which a requirement on a bound is searched."""


@dataclass(frozen=True, eq=False)
class JudgedLabels:
    """Outputs with a label of people and a verdict of the judge.

    Attributes:
        labels: whether people passed each output.
        verdicts: whether the judge passed the same outputs, in the same order.
        scores: of the judge, in [0, 1], in the same order.
        probabilities: π, the chance in (0, 1] with which each output was drawn for labelling.
        clusters: what an output shares with others, such as its case; None for an output that stands alone.
    """

    labels: Sequence[bool]
    verdicts: Sequence[bool]
    scores: Sequence[float]
    probabilities: Sequence[float]
    clusters: Sequence[Hashable | None]


@dataclass(frozen=True)
class Confusion:
    """The number of labelled outputs by the label of people and the verdict of the judge.

    Attributes:
        both_pass: passed by both.
        both_fail: failed by both.
        judge_alone: passed by the judge, failed by people.
        people_alone: passed by people, failed by the judge.
    """

    both_pass: int
    both_fail: int
    judge_alone: int
    people_alone: int


@dataclass(frozen=True)
class CurvePoint:
    """The outputs whose score of the judge lies in one part of [0, 1].

    Attributes:
        low: the lowest score of the part.
        high: the highest score of the part; it belongs to the next part, except 1.
        labels: how many labelled outputs lie in it.
        mean_score: of the judge.
        passed: the share that people passed, with its interval.
    """

    low: float
    high: float
    labels: int
    mean_score: float
    passed: Interval


@dataclass(frozen=True)
class JudgeAccuracy:
    """A judge compared with people.

    Attributes:
        confusion: counts of labels, without weights.
        sensitivity: the share that the judge passes of what people pass; None where people pass nothing.
        specificity: the share that the judge fails of what people fail; None where people fail nothing.
        kappa: Cohen's, weighted by the draw.
        kappa_interval: None where kappa is undefined.
        ac1: Gwet's, weighted by the draw.
        ac1_interval: None where AC1 is undefined.
        curve: by the judge's score; empty where it has two values at most.
    """

    confusion: Confusion
    sensitivity: Interval | None
    specificity: Interval | None
    kappa: Agreement
    kappa_interval: Interval | None
    ac1: Agreement
    ac1_interval: Interval | None
    curve: tuple[CurvePoint, ...]


def judge_accuracy(judged: JudgedLabels, *, seed: int, level: float = 0.95) -> JudgeAccuracy:
    """Compute how well a judge agrees with people.

    Each label counts 1/π. A share gets Wilson's interval on Kish's effective number of clusters, kappa and AC1 the percentile
    bootstrap over clusters.

    Args:
        judged: one label at least.
        seed: of the bootstrap.
        level: two-sided confidence, in (0, 1).

    Raises:
        ValueError: no label, sides of different length, or a chance outside (0, 1].
    """
    level = quantile.checked_level(level)
    chances = finite_array(judged.probabilities, "inclusion probability")
    scores = finite_array(judged.scores, "score of the judge")
    sides = (judged.labels, judged.verdicts, judged.scores, judged.clusters)
    if any(len(side) != chances.size for side in sides):
        raise ValueError(
            "The labels, verdicts, scores, probabilities and clusters differ in number; give one of each an output."
        )
    if not np.all((chances > 0) & (chances <= 1)):
        raise ValueError("An inclusion probability is not in (0, 1]; record the chance of a draw.")
    labels, verdicts = np.asarray(judged.labels, dtype=np.bool_), np.asarray(judged.verdicts, dtype=np.bool_)
    sample = ClusteredSample.of((1 / chances).tolist(), judged.clusters)
    weighted = _Weighted(labels, verdicts, sample)
    kappa, ac1 = weighted.agreement(np.ones(sample.count))
    kappa_interval, ac1_interval = weighted.intervals((kappa, ac1), seed, level)
    return JudgeAccuracy(
        Confusion(
            int(np.sum(labels & verdicts)),
            int(np.sum(~labels & ~verdicts)),
            int(np.sum(~labels & verdicts)),
            int(np.sum(labels & ~verdicts)),
        ),
        weighted.share(verdicts, labels, level),
        weighted.share(~verdicts, ~labels, level),
        kappa,
        kappa_interval,
        ac1,
        ac1_interval,
        tuple(_curve(weighted, scores, level)) if np.unique(scores).size > 2 else (),
    )


def labels_for_bound(share: Interval, bound: float) -> int | None:
    """Return how many further labels of its class bring the lower bound of a share to `bound`, if the share stays as it is.

    Args:
        share: of Wilson's interval; `n` labels are behind it.
        bound: that the lower bound must reach, in [0, 1].

    Returns:
        0 where it does already; None where the share itself is not above the bound.
    """
    if share.low >= bound:
        return 0
    if share.estimate <= bound:
        return None
    z = quantile.normal(share.level)
    effective = _effective_size(share, z)
    low, high = 1.0, _MANY_LABELS / effective
    while (high - low) * share.n > 0.5:
        factor = (low + high) / 2
        size = effective * factor
        below = wilson_interval(share.estimate * size, size, z)[0] < bound
        low, high = (factor, high) if below else (low, factor)
    return max(1, math.ceil((high - 1) * share.n))


def table_ac1(counts: Sequence[Sequence[float]] | Floats) -> Agreement:
    """Compute Gwet's AC1 of two observers from a 2×2 table, whose cells may be weights.

    Source: Gwet, British J. Math. Stat. Psychology 61 (2008), with π the mean of both observers' shares: the agreement by
    chance is 2π(1 - π).

    Args:
        counts: counts[i][j] units that the first observer put in category i and the second in j.
    """
    cells = np.asarray(counts, dtype=np.float64)
    n = float(cells.sum())
    observed = float(np.trace(cells)) / n
    share = float(cells.sum(axis=0)[1] + cells.sum(axis=1)[1]) / (2 * n)
    expected = 2 * share * (1 - share)
    if expected == 0.0:
        return Agreement("gwet-ac1", None, NO_VARIATION, observed, None, round(n))
    return Agreement("gwet-ac1", (observed - expected) / (1 - expected), None, observed, expected, round(n))


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Labels and verdicts with their weights, which are the values of `sample`, in clusters."""

    labels: NDArray[np.bool_]
    verdicts: NDArray[np.bool_]
    sample: ClusteredSample

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_], level: float) -> Interval | None:
        """Return the weighted share of `hits` among some outputs, with Wilson's interval; None where there are none."""
        weights = np.where(among, self.sample.values, 0.0)
        total = float(weights.sum())
        if total == 0.0:
            return None
        sums = self.sample.sums(weights)
        share, size = min(1.0, float(weights[hits].sum()) / total), float(sums.sum() ** 2 / (sums @ sums))
        low, high = wilson_interval(share * size, size, quantile.normal(level))
        n = int(np.count_nonzero(among))
        return Interval(share, low, high, level, "wilson-weighted", n, int(np.count_nonzero(sums)))

    def agreement(self, multiplicity: Floats) -> tuple[Agreement, Agreement]:
        """Return kappa and AC1 with each cluster counted so often."""
        weights = self.sample.values * multiplicity[self.sample.codes]
        table = np.zeros((2, 2))
        np.add.at(table, (self.labels.astype(int), self.verdicts.astype(int)), weights)
        scaled = table * (self.labels.size / table.sum())
        return table_kappa(scaled), table_ac1(scaled)

    def intervals(self, whole: tuple[Agreement, Agreement], seed: int, level: float) -> tuple[Interval | None, Interval | None]:
        """Return the bootstrap intervals of kappa and AC1."""
        rng = np.random.default_rng(seed)
        count = self.sample.count
        values: tuple[list[float], list[float]] = ([], [])
        for _ in range(RESAMPLES):
            drawn = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
            for retained, agreement in zip(values, self.agreement(drawn), strict=True):
                if agreement.value is not None:
                    retained.append(agreement.value)
        first, second = (_percentiles(agreement, retained, level) for agreement, retained in zip(whole, values, strict=True))
        return first, second


def _percentiles(whole: Agreement, values: Sequence[float], level: float) -> Interval | None:
    if whole.value is None or len(values) < RESAMPLES / 2:
        return None
    tail = (1 - level) / 2
    low, high = (float(bound) for bound in np.quantile(values, [tail, 1 - tail]))
    estimate = whole.value
    return Interval(estimate, min(low, estimate), max(high, estimate), level, "cluster-bootstrap", whole.units, None)


def _curve(weighted: _Weighted, scores: Floats, level: float) -> list[CurvePoint]:
    """Return the parts of [0, 1] that have labels, from the lowest score to the highest."""
    parts = np.minimum((scores * CURVE_PARTS + ROUNDING).astype(int), CURVE_PARTS - 1)
    points = []
    for part in range(CURVE_PARTS):
        within = parts == part
        passed = weighted.share(weighted.labels, within, level)
        if passed is not None:
            weights = weighted.sample.values[within]
            mean = float(weights @ scores[within] / weights.sum())
            points.append(CurvePoint(part / CURVE_PARTS, (part + 1) / CURVE_PARTS, int(within.sum()), mean, passed))
    return points


def _effective_size(share: Interval, z: float) -> float:
    """Return the number of trials with which Wilson's lower bound of the share is the interval's, by bisection."""
    low, high = 1e-3, float(share.n) + 1.0
    while high - low > 1e-3 * high:
        size = (low + high) / 2
        below = wilson_interval(share.estimate * size, size, z)[0] < share.low
        low, high = (size, high) if below else (low, size)
    return high
