"""The interval of a mean score over cases: Wilson, cluster-robust, or on an effective number of cases near an end."""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.sample import (
    UNIT_RANGE,
    ClusteredSample,
    NoSpreadError,
    ScoreRange,
    all_within,
    checked_range,
    is_binary,
)

# With fewer clusters than this off an end of the range, a normal approximation to the mean is not valid yet.
SCARCE = 10


def wilson_interval(successes: float, trials: float, quantile: float) -> tuple[float, float]:
    """Return both bounds of Wilson's score interval for a proportion, never outside [0, 1] and never of zero width.

    Source: Wilson, JASA 22 (1927); equation 4 of Brown, Cai and DasGupta, Statistical Science 16 (2001).

    Args:
        successes: in [0, trials]; need not be whole, for an effective number of trials.
        trials: more than 0.
        quantile: two-sided normal or Student quantile, such as 1.96.
    """
    square = quantile**2
    share = successes / trials
    centre = (successes + square / 2) / (trials + square)
    reach = quantile * math.sqrt(max(0.0, share * (1 - share)) * trials + square / 4) / (trials + square)
    low = 0.0 if successes <= 0 else max(0.0, centre - reach)
    high = 1.0 if successes >= trials else min(1.0, centre + reach)
    return min(low, share), max(high, share)


def mean_interval(
    scores: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
) -> Interval:
    """Compute the interval of the mean score over cases; never of zero width, whatever the data.

    The method depends on the data, and the interval names it:

    - `wilson`: every score is 0 or 1 and no two cases share a cluster.
    - `clt`, and with clusters `cluster-robust`: mean ± t · error, with the cluster-robust error (factor C/(C-1)) and t on
      C-1 degrees of freedom; clipped to `bounds` where all scores lie inside. Clusters of one case each change nothing.
    - `wilson-effective`: all scores lie inside `bounds`, and the normal approximation fails there: the error is zero, there is
      only one cluster, or most clusters sit wholly on one end and fewer than 10 do not (rare failures). Wilson's interval is
      taken at the mean with an effective number of cases m = μ(1-μ)/error², at least C, and with t on C-1 degrees of freedom:
      the number of failures is uncertain, the size of them and of their clusters is taken as observed. Where the error is
      zero, none was observed, and m = C is the smallest number that the data can stand for: scores of 0 or 1 have the
      largest variance that scores in [0, 1] with mean μ can have, μ(1-μ) (Bhatia and Davis, Amer. Math. Monthly 107, 2000),
      and clusters whose cases are all equal have the largest design effect. Effective sizes in Wilson's interval: Dean and
      Pagano, J. Survey Statistics and Methodology 3 (2015).

    With about 10 clusters of very unequal size a 95 % interval covers nearer 93 %; `bootstrap.cluster_bootstrap` covers there.

    Args:
        scores: one finite number a case; average repeats first (`repeat_means`).
        clusters: the cluster of each case, in the same order; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        bounds: the range that scores can take at all, in their unit.

    Raises:
        NoSpreadError: scores outside `bounds` that are all equal, or come from one case or cluster.
        ValueError: no case, a score that is not finite, clusters that do not match, or a bad level or range.
    """
    level = quantile.checked_level(level)
    low, high = checked_range(bounds)
    sample = ClusteredSample.of(scores, clusters)
    groups = sample.count if sample.clustered else None

    def interval(bottom: float, top: float, method: str) -> Interval:
        return Interval(sample.mean, bottom, top, level, method, sample.n, groups)

    if is_binary(sample.values) and sample.independent and (low, high) == UNIT_RANGE:
        return interval(*wilson_interval(float(sample.values.sum()), sample.n, quantile.normal(level)), "wilson")
    inside = all_within(sample.values, (low, high))
    error = sample.error() if sample.count > 1 else 0.0
    if not inside:
        if error == 0.0:
            raise NoSpreadError(
                "The scores show no spread between clusters and lie outside the stated range, so no interval can be given; "
                "state the range that scores can take as `bounds`, or add cases."
            )
        reach = quantile.student_t(level, sample.count - 1) * error
        return interval(sample.mean - reach, sample.mean + reach, "cluster-robust" if sample.clustered else "clt")
    if error == 0.0 or _scarce(sample, low, high):
        bottom, top = _effective(sample, error, level, (low, high))
        return interval(min(bottom, sample.mean), max(top, sample.mean), "wilson-effective")
    reach = quantile.student_t(level, sample.count - 1) * error
    method = "cluster-robust" if sample.clustered else "clt"
    return interval(max(low, sample.mean - reach), min(high, sample.mean + reach), method)


def is_rare(touched: float, count: float) -> bool:
    """Return whether too few of `count` clusters differ from the rest, which all have one value, for a normal approximation."""
    return touched < SCARCE and 2 * touched < count


def effective_size(sample: ClusteredSample, variance: float, error: float) -> float:
    """Return the number of independent cases of `variance` whose mean has this `error`.

    It is at least C, and C where the error is zero. It is at most the number for independent cases, so that clusters which
    happen to balance add nothing.
    """
    if error == 0.0:
        return float(sample.count)
    alone = variance * sample.n / float(np.var(sample.values, ddof=1))
    return max(float(sample.count), min(max(float(sample.n), alone), variance / error**2))


def effective_quantile(sample: ClusteredSample, error: float, level: float) -> float:
    """Return Student's quantile on C-1 degrees of freedom, or the normal quantile where the error is zero."""
    return quantile.normal(level) if error == 0.0 else quantile.student_t(level, sample.count - 1)


def _scarce(sample: ClusteredSample, low: float, high: float) -> bool:
    """Return whether failures, or successes, are so rare that most clusters have none."""
    off = min(sample.touched(sample.values > low), sample.touched(sample.values < high))
    return is_rare(off, sample.count)


def _effective(sample: ClusteredSample, error: float, level: float, bounds: ScoreRange) -> tuple[float, float]:
    """Return Wilson's bounds at the mean on the effective number of cases, in the unit of the scores."""
    low, width = bounds[0], bounds[1] - bounds[0]
    share = min(1.0, max(0.0, (sample.mean - low) / width))
    size = effective_size(sample, share * (1 - share) * width**2, error)
    bottom, top = wilson_interval(share * size, size, effective_quantile(sample, error, level))
    return low + width * bottom, low + width * top
