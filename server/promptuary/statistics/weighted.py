"""Means and paired differences of cases that stand for different numbers of cases, such as calls sampled by chance."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval, wilson_interval
from promptuary.statistics.paired import paired_difference, tango_interval
from promptuary.statistics.sample import (
    ROUNDING,
    UNIT_RANGE,
    Floats,
    NoSpreadError,
    ScoreRange,
    all_within,
    checked_range,
    finite_array,
)
from promptuary.statistics.weighted_sample import WeightedSample, kish_number

Clusters = Sequence[Hashable | None] | None


def weighted_mean(
    scores: Sequence[float],
    weights: Sequence[float],
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
) -> Interval:
    """Compute the interval of the mean score over the cases that drawn ones stand for; never of zero width.

    The estimate is Hájek's, Σ wy / Σ w. The cases are taken as a draw from what produces them, not as a finite list, so that
    an interval is never narrower than chance in the production itself allows. Equal weights change nothing: the result is that
    of `mean_interval`. Else the interval names its method:

    - `hajek-wilson`: all scores lie inside `bounds`. Wilson's interval at the mean with the effective number of cases
      m = μ(1-μ)/error², with the cluster-robust error of the linearised estimate (`WeightedSample.error`) and t on the
      effective number of clusters - 2 degrees of freedom. Unlike mean ± t · error, it covers near the ends of the range, where
      a sample of a few large weights is skewed. Source: Dean and Pagano, J. Survey Statistics and Methodology 3 (2015).
    - `hajek-wilson-rare`: failures, or successes, are so rare by weight that the error does not show them all: m is at most
      Kish's number, (Σw)²/Σw², so that the cases with a large weight may have as yet unseen failures. Where the scores are all
      equal, m is Σw over the largest weight.
    - `hajek`: scores outside `bounds`; mean ± t · error.

    Args:
        scores: one finite number a case; average repeats first.
        weights: of the same cases, the inverse of the chance with which each was drawn, above 0; in any unit.
        clusters: the cluster of each case, in the same order; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        bounds: the range that scores can take at all, in their unit.

    Raises:
        NoSpreadError: scores outside `bounds` that show no spread.
        ValueError: no case, a score that is not finite, a weight that is not above 0, sides of different length, or a bad
            level or range.
    """
    values = finite_array(scores)
    _check_lengths(len(scores), len(weights))
    sample = WeightedSample.of_weights(weights, clusters)
    if is_even(weights):
        return mean_interval(scores, clusters=clusters, level=level, bounds=bounds)
    level = quantile.checked_level(level)
    low, high = checked_range(bounds)
    width, mean = high - low, sample.mean(values)
    error = sample.error(sample.contributions(values))
    if not all_within(values, (low, high)):
        reach = _reach(sample, error, level)
        return _interval(sample, mean, (mean - reach, mean + reach), level, "hajek")
    share = min(1.0, max(0.0, (mean - low) / width))
    variance = share * (1 - share) * width**2
    rare = error == 0.0 or sample.is_rare(values > low) or sample.is_rare(values < high)
    size = sample.size(values, variance, sample.least()) if rare else variance / error**2
    bottom, top = wilson_interval(share * size, size, sample.quantile(level))
    bounds_of_mean = low + width * bottom, low + width * top
    return _interval(sample, mean, bounds_of_mean, level, "hajek-wilson-rare" if rare else "hajek-wilson")


def weighted_difference(
    candidate: Sequence[float],
    baseline: Sequence[float],
    weights: Sequence[float],
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
) -> Interval:
    """Compute the interval of the mean of candidate - baseline over the cases that drawn ones stand for.

    The estimate is Hájek's mean of the per-case differences. Equal weights change nothing: the result is that of
    `paired_difference`. Else the interval names its method: `paired-hajek`, mean ± t · error as in `weighted_mean`, clipped to
    ± the width of `bounds`; or `paired-hajek-tango` where few cases by weight differ: Tango's interval of the weighted gains
    and losses on the effective number of pairs, at most Kish's.

    Args:
        candidate: one finite score a case; average repeats first.
        baseline: the scores of the same cases, in the same order.
        weights: of the same cases, as in `weighted_mean`.
        clusters: the cluster of each case; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        bounds: the range that a score can take at all; the interval is in the same unit.

    Raises:
        NoSpreadError: scores outside `bounds` whose differences show no spread.
        ValueError: as in `weighted_mean`.
    """
    first, second = finite_array(candidate, "candidate score"), finite_array(baseline, "baseline score")
    _check_lengths(len(candidate), len(baseline), len(weights))
    sample = WeightedSample.of_weights(weights, clusters)
    if is_even(weights):
        return paired_difference(candidate, baseline, clusters=clusters, level=level, bounds=bounds)
    level = quantile.checked_level(level)
    low, high = checked_range(bounds)
    changes = first - second
    changes[np.abs(changes) <= ROUNDING * np.maximum(np.abs(first), np.abs(second))] = 0.0
    inside = all_within(first, (low, high)) and all_within(second, (low, high))
    width, mean = (high - low) if inside else float("inf"), sample.mean(changes)
    error = sample.error(sample.contributions(changes))
    if inside and (error == 0.0 or sample.is_rare(changes != 0.0)):
        bounds_of_mean = difference_bounds(sample, changes, width, sample.least())(quantile.normal(level), 1.0)
        return _interval(sample, mean, bounds_of_mean, level, "paired-hajek-tango")
    reach = _reach(sample, error, level)
    return _interval(sample, mean, (max(-width, mean - reach), min(width, mean + reach)), level, "paired-hajek")


def difference_bounds(
    sample: WeightedSample, changes: Floats, width: float, least: float | None = None
) -> Callable[[float, float], tuple[float, float]]:
    """Return what computes Tango's bounds of the changes' weighted mean, by a quantile and with so many times the cases.

    Args:
        sample: the draw.
        changes: of each case, in [-width, width].
        width: of the range of a score.
        least: the smallest effective number of cases; that of the sample without it.
    """
    gain = sample.mean(np.clip(changes, 0.0, None)) / width
    loss = sample.mean(np.clip(-changes, 0.0, None)) / width
    size = sample.size(changes, (gain + loss - (gain - loss) ** 2) * width**2, least)

    def bounds_at(deviation: float, factor: float) -> tuple[float, float]:
        larger = size * factor
        low, high = tango_interval(gain * larger, loss * larger, larger, deviation)
        return width * low, width * high

    return bounds_at


def is_even(weights: Sequence[float]) -> bool:
    """Return whether all weights are the same, but for rounding."""
    return max(weights) - min(weights) <= ROUNDING * max(weights)


def _interval(sample: WeightedSample, estimate: float, bounds: tuple[float, float], level: float, method: str) -> Interval:
    """Return the interval with the counts of the draw; the estimate lies between the bounds, whatever rounding does."""
    low, high = min(bounds[0], estimate), max(bounds[1], estimate)
    groups = None if sample.clusters is None else sample.groups
    return Interval(estimate, low, high, level, method, sample.weights.size, groups, kish_number(sample.weights))


def _reach(sample: WeightedSample, error: float, level: float) -> float:
    """Return t · error.

    Raises:
        NoSpreadError: where the error is zero.
    """
    if error == 0.0:
        raise NoSpreadError(
            "The scores show no spread between clusters and lie outside the stated range, so no interval can be given; "
            "state the range that scores can take as `bounds`, or add cases."
        )
    return sample.quantile(level) * error


def _check_lengths(*lengths: int) -> None:
    """Raise ValueError for sides of different length."""
    if len(set(lengths)) > 1:
        raise ValueError(f"The sides have {', '.join(map(str, lengths))} values; give one value a case on each, in one order.")
