"""Intervals from resampled clusters, for few and skewed ones; the same seed gives the same interval."""

from collections.abc import Hashable, Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.sample import (
    ROUNDING,
    UNIT_RANGE,
    ClusteredSample,
    Floats,
    NoSpreadError,
    ScoreRange,
    all_within,
    checked_range,
)


def cluster_bootstrap(
    scores: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    seed: int,
    resamples: int = 4_999,
    bounds: ScoreRange = UNIT_RANGE,
) -> Interval:
    """Compute the studentised bootstrap interval over whole clusters.

    It is for few, skewed clusters, where ± t · error is too symmetric.

    C clusters are drawn with replacement. The quantiles of (mean* - mean)/error* take the place of Student's t. A draw without
    spread counts as an infinite deviation, so that scarce data widen the interval up to `bounds` and never narrow it.
    Source: Cameron, Gelbach and Miller, Review of Economics and Statistics 90 (2008), pairs cluster bootstrap-t; Efron and
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 12.

    Args:
        scores: one finite number a case, all inside `bounds`.
        clusters: the cluster of each case; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        seed: of the draws: the same seed gives the same interval.
        resamples: the number of draws, at least 199.
        bounds: the range that scores can take at all.

    Raises:
        NoSpreadError: one cluster, or no spread between clusters; `mean_interval` is still defined there.
        ValueError: a score outside `bounds`, too few resamples, or an argument that `mean_interval` rejects.
    """
    level = quantile.checked_level(level)
    limits = checked_range(bounds)
    sample = ClusteredSample.of(scores, clusters)
    if not all_within(sample.values, limits):
        raise ValueError("A score lies outside the stated range; state the range that scores can take as `bounds`.")
    if resamples < 199:
        raise ValueError(f"{resamples} resamples do not place a tail; take at least 199.")
    error = sample.error()
    if error == 0.0:
        raise NoSpreadError("The scores show no spread between clusters to draw from; use `mean_interval`.")
    deviations = _deviations(sample, np.random.default_rng(seed), resamples)
    tail = (1 - level) / 2
    low, high = np.quantile(deviations, [tail, 1 - tail], method="closest_observation")
    bottom = max(limits[0], sample.mean - float(high) * error)
    top = min(limits[1], sample.mean - float(low) * error)
    groups = sample.count if sample.clustered else None
    return Interval(sample.mean, min(bottom, sample.mean), max(top, sample.mean), level, "cluster-bootstrap", sample.n, groups)


def _deviations(sample: ClusteredSample, rng: np.random.Generator, resamples: int) -> Floats:
    """Return the studentised deviations of resampled means, shape (resamples,); ± inf where a draw shows no spread."""
    count = sample.count
    sums = sample.sums(sample.values)
    sizes = sample.sums(np.ones(sample.n))
    deviations = np.empty(resamples)
    step = max(1, 2_000_000 // count)
    for start in range(0, resamples, step):
        drawn = rng.integers(count, size=(min(step, resamples - start), count))
        total, size = sums[drawn], sizes[drawn]
        cases = size.sum(axis=1)
        means = total.sum(axis=1) / cases
        residuals = total - means[:, None] * size
        errors = np.sqrt(count / (count - 1) * (residuals**2).sum(axis=1)) / cases
        flat = errors <= ROUNDING
        distance = means - sample.mean
        endless = np.where(distance == 0.0, 0.0, np.copysign(np.inf, distance))
        deviations[start : start + len(drawn)] = np.where(flat, endless, distance / np.where(flat, 1.0, errors))
    return deviations
