"""Chance-corrected agreement of reviewers. Where it is undefined, the result carries the reason: never 1.0, never a crash."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.ratings import ContingencyTable, Label, Ratings
from promptuary.statistics.sample import ROUNDING, Floats

NO_VARIATION = "undefined: no variation"
NO_PAIRS = "undefined: no unit has two labels"


class DistanceMetric(StrEnum):
    """What a distance between two labels means for Krippendorff's alpha."""

    NOMINAL = "nominal"  # labels are the same or not
    ORDINAL = "ordinal"  # labels have an order, and the number of labels given between two is their distance
    INTERVAL = "interval"  # labels are numbers, and their difference is their distance
    RATIO = "ratio"  # labels are numbers of 0 or more, and their difference counts relative to their sum


class KappaWeights(StrEnum):
    """How much a disagreement counts in a weighted kappa, by the distance of the two categories in their order."""

    LINEAR = "linear"  # by the distance
    QUADRATIC = "quadratic"  # by the squared distance


@dataclass(frozen=True)
class Agreement:
    """A chance-corrected coefficient, or the reason why it is undefined for the labels.

    Attributes:
        coefficient: its name: `krippendorff-alpha-nominal`, `gwet-ac1`, `cohen-kappa`, …
        value: at most 1; 0 is agreement by chance, below 0 is worse than chance. None where undefined.
        reason: why it is undefined; None where it is not.
        observed: the share of agreement (1 - observed disagreement for alpha and weighted kappa); None without pairs.
        expected: the share expected by chance alone; None without pairs.
        units: the number of units with at least two labels.
    """

    coefficient: str
    value: float | None
    reason: str | None
    observed: float | None
    expected: float | None
    units: int


def krippendorff_alpha(
    ratings: Sequence[Sequence[Label | None]],
    *,
    metric: DistanceMetric = DistanceMetric.NOMINAL,
    categories: Sequence[Label] | None = None,
) -> Agreement:
    """Compute Krippendorff's alpha for any number of observers. Labels may be missing; a unit with one label is left out.

    α = 1 - D_o/D_e over the coincidences of labels within units. Source: Krippendorff, Computing Krippendorff's
    Alpha-Reliability (2011), section C and D. The result contains 1 - D_o and 1 - D_e,
    for distances scaled to at most 1.

    Args:
        ratings: one row an observer, one column a unit; None for a missing label.
        metric: what a distance between labels means. Interval and ratio accept numbers only.
        categories: all labels in order; None sorts the labels that occur where the metric needs an order.

    Raises:
        ValueError: rows of different length, a label outside `categories`, or labels that the metric cannot take.
    """
    table = Ratings.of(ratings, categories, ordered=metric is not DistanceMetric.NOMINAL, numbers=metric in _NUMERIC)
    name = f"krippendorff-alpha-{metric}"
    counts = table.counts[table.counts.sum(axis=1) >= 2]
    if len(counts) == 0:
        return Agreement(name, None, NO_PAIRS, None, None, 0)
    share = counts / (counts.sum(axis=1) - 1)[:, None]
    coincidences = share.T @ counts - np.diag(share.sum(axis=0))
    totals = coincidences.sum(axis=1)
    n = float(totals.sum())
    distances = _distances(metric, table.numbers, totals)
    largest = float(distances.max(initial=0.0))
    if largest > 0:
        distances = distances / largest
    chance = np.outer(totals, totals) - np.diag(totals)
    observed = float((coincidences * distances).sum()) / n
    expected = float((chance * distances).sum()) / (n * (n - 1))
    return _beyond_chance(name, 1 - observed, 1 - expected, len(counts))


def gwet_ac1(ratings: Sequence[Sequence[Label | None]], *, categories: Sequence[Label] | None = None) -> Agreement:
    """Compute Gwet's AC1 for any number of observers. Labels may be missing; it is stable where nearly all labels are equal.

    Where one label is rare, kappa falls towards 0 although observers nearly always agree; AC1 does not. Report both.
    Source: Gwet, British J. Math. Stat. Psychology 61 (2008) 29-48; missing labels as in Gwet, Handbook of Inter-Rater
    Reliability, 4th edition (2014), chapter 2. A unit with one label counts towards chance, not towards agreement.

    Args:
        ratings: one row an observer, one column a unit; None for a missing label.
        categories: all labels that were possible; None takes those that occur.

    Raises:
        ValueError: rows of different length, or a label outside `categories`.
    """
    table = Ratings.of(ratings, categories, ordered=False, numbers=False)
    counts = table.counts[table.counts.sum(axis=1) >= 1]
    sizes = counts.sum(axis=1)
    paired = sizes >= 2
    name = "gwet-ac1"
    if not paired.any():
        return Agreement(name, None, NO_PAIRS, None, None, 0)
    agreeing = (counts * (counts - 1)).sum(axis=1)[paired] / (sizes * (sizes - 1))[paired]
    shares = (counts / sizes[:, None]).mean(axis=0)
    if np.count_nonzero(shares) < 2:
        return Agreement(name, None, NO_VARIATION, float(agreeing.mean()), None, int(paired.sum()))
    expected = float((shares * (1 - shares)).sum()) / (len(shares) - 1)
    return _beyond_chance(name, float(agreeing.mean()), expected, int(paired.sum()))


def cohen_kappa(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    weights: KappaWeights | Sequence[Sequence[float]] | None = None,
    categories: Sequence[Label] | None = None,
) -> Agreement:
    """Compute Cohen's kappa of two observers over the units that both labelled, plain or weighted.

    Formula and source: see `table_kappa`.

    Args:
        first: one label a unit; None for a missing one.
        second: the same units in the same order.
        weights: None for plain kappa; or how much each disagreement counts, see `table_kappa`.
        categories: all labels in order; None sorts the labels that occur where the weights need an order.

    Raises:
        ValueError: sides of different length, a label outside `categories`, or weights that `table_kappa` rejects.
    """
    return table_kappa(ContingencyTable.of(first, second, categories, ordered=weights is not None).counts, weights=weights)


def table_kappa(
    counts: Sequence[Sequence[float]] | Floats, *, weights: KappaWeights | Sequence[Sequence[float]] | None = None
) -> Agreement:
    """Compute Cohen's kappa from a contingency table: κ = 1 - Σ v·o / Σ v·e over the cells.

    Source: Cohen, Educ. Psych. Measurement 20 (1960) 37-46; weighted, with weights of disagreement: Cohen, Psychological
    Bulletin 70 (1968) 213-220.

    Args:
        counts: counts[i][j] units that the first observer put in category i and the second in j; square.
        weights: None for 1 on every disagreement; or a matrix v of the table's shape, ≥ 0 and 0 on the diagonal.

    Raises:
        ValueError: a table that is not square or contains a negative count, or weights that do not fit it.
    """
    cells = ContingencyTable.checked(counts)
    name = "cohen-kappa" if weights is None else "cohen-kappa-weighted"
    n = float(cells.sum())
    if n == 0:
        return Agreement(name, None, NO_PAIRS, None, None, 0)
    penalties = _penalties(weights, len(cells))
    largest = float(penalties.max())
    if largest > 0:
        penalties = penalties / largest
    chance = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / n**2
    observed, expected = float((penalties * cells).sum()) / n, float((penalties * chance).sum())
    return _beyond_chance(name, 1 - observed, 1 - expected, round(n))


def agreement_interval(
    measure: Callable[[Sequence[Sequence[Label | None]]], Agreement],
    ratings: Sequence[Sequence[Label | None]],
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 1_000,
) -> Interval | None:
    """Compute the percentile bootstrap interval of a coefficient over units.

    Draws in which the coefficient is undefined (only one label drawn) are left out. Units are drawn, not labels, because the
    labels of a unit belong together. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Args:
        measure: computes the coefficient of such ratings; its own options are already bound.
        ratings: one row an observer, one column a unit; None for a missing label.
        seed: of the draws: the same seed gives the same interval.
        level: two-sided confidence, in (0, 1).
        resamples: the number of draws, at least 199.

    Returns:
        The interval; None where the coefficient, or more than half of its draws, is undefined.

    Raises:
        ValueError: too few resamples, a level out of range, or ratings that the measure rejects.
    """
    level = quantile.checked_level(level)
    if resamples < 199:
        raise ValueError(f"{resamples} resamples do not place a tail; take at least 199.")
    whole = measure(ratings)
    if whole.value is None:
        return None
    rng = np.random.default_rng(seed)
    units = len(ratings[0])
    values = []
    for _ in range(resamples):
        drawn = rng.integers(units, size=units).tolist()
        value = measure([[row[unit] for unit in drawn] for row in ratings]).value
        if value is not None:
            values.append(value)
    if len(values) < resamples / 2:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    estimate = whole.value
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), level, "unit-bootstrap", whole.units, None)


_NUMERIC = (DistanceMetric.INTERVAL, DistanceMetric.RATIO)


def _beyond_chance(name: str, observed: float, expected: float, units: int) -> Agreement:
    """Return (observed - expected) / (1 - expected); undefined where chance alone would always agree."""
    if 1 - expected <= ROUNDING:
        return Agreement(name, None, NO_VARIATION, observed, expected, units)
    return Agreement(name, (observed - expected) / (1 - expected), None, observed, expected, units)


def _distances(metric: DistanceMetric, numbers: Floats, totals: Floats) -> Floats:
    """Return the squared distance of each pair of labels, in their order; shape (labels, labels)."""
    if metric is DistanceMetric.NOMINAL:
        return 1.0 - np.eye(len(totals))
    if metric is DistanceMetric.ORDINAL:
        middles = np.cumsum(totals) - totals / 2
        return np.subtract.outer(middles, middles) ** 2
    gaps: Floats = np.subtract.outer(numbers, numbers)
    if metric is DistanceMetric.INTERVAL:
        return gaps**2
    if numbers.size and numbers.min() < 0:
        raise ValueError("A label is below 0, which a ratio cannot take; use the interval metric.")
    sums = np.add.outer(numbers, numbers)
    return (gaps / np.where(sums == 0, 1.0, sums)) ** 2


def _penalties(weights: KappaWeights | Sequence[Sequence[float]] | None, size: int) -> Floats:
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
