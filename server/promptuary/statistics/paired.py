"""Two versions on the same cases: the interval of their difference, McNemar's test, Holm's correction over several metrics."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import effective_quantile, effective_size, is_rare
from promptuary.statistics.sample import (
    ROUNDING,
    UNIT_RANGE,
    ClusteredSample,
    Floats,
    NoSpreadError,
    ScoreRange,
    all_within,
    checked_range,
    finite_array,
    is_binary,
)

STEPS = 80


def tango_interval(gains: float, losses: float, pairs: float, quantile: float) -> tuple[float, float]:
    """Return both bounds of Tango's score interval for the difference of two paired proportions, inside [-1, 1].

    The interval contains all differences Δ that the score test does not reject: (b - c - nΔ)² ≤ z² · n(2q + Δ(1 - Δ)),
    where q is the share of losses most likely under Δ. At Δ = 0 it is McNemar's test; with no discordant pair it is
    ± z²/(n + z²), not zero width.
    Source: Tango, Statistics in Medicine 17 (1998) 891-908; recommended for small samples by Fagerland, Lydersen and Laake,
    Statistics in Medicine 33 (2014) 2850-2875.

    Args:
        gains: pairs that only the candidate got right, b ≥ 0; need not be whole, for an effective number of pairs.
        losses: pairs that only the baseline got right, c ≥ 0.
        pairs: all pairs, n > 0, at least b + c.
        quantile: two-sided normal or Student quantile, such as 1.96.
    """
    low = -_tango_high(losses, gains, pairs, quantile)
    high = _tango_high(gains, losses, pairs, quantile)
    return low, high


def _tango_high(gains: float, losses: float, pairs: float, quantile: float) -> float:
    """Find the largest difference that is not rejected, by bisection: the score statistic falls as the difference grows."""
    inside, outside = min(1.0, max(-1.0, (gains - losses) / pairs)), 1.0
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        slope = -gains - losses + (2 * pairs - gains + losses) * middle
        root = max(0.0, slope**2 + 8 * pairs * losses * middle * (1 - middle)) ** 0.5
        share = max(0.0, (root - slope) / (4 * pairs))
        variance = pairs * max(0.0, 2 * share + middle * (1 - middle))
        if (gains - losses - pairs * middle) ** 2 <= quantile**2 * variance:
            inside = middle
        else:
            outside = middle
    return outside


def paired_difference(
    candidate: Sequence[float],
    baseline: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
) -> Interval:
    """Compute the interval of mean(candidate - baseline) over the same cases in the same order; never of zero width.

    The method depends on the data, and the interval names it:

    - `tango`: all scores of both sides are 0 or 1 and no two cases share a cluster.
    - `paired-clt`, and with clusters `paired-cluster-robust`: mean ± t · error of the per-case differences, with the factor
      C/(C-1) and t on C-1 degrees of freedom, clipped to ± the width of `bounds` where all scores lie inside.
    - `tango-effective`: all scores lie inside `bounds`, and the normal approximation fails: the differences have no spread,
      there is one cluster, or most clusters differ nowhere and fewer than 10 do. Tango's interval is taken with the summed
      gains and losses as counts, on an effective number of pairs (at least C, and C where the error is zero) as in
      `mean_interval`, and with t on C-1 degrees of freedom. Cases that win or lose outright vary most of all with the same
      summed gains and losses.

    Args:
        candidate: one finite score a case; average repeats first.
        baseline: the scores of the same cases, in the same order.
        clusters: the cluster of each case; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        bounds: the range that a score can take at all; the interval is in the same unit.

    Raises:
        NoSpreadError: scores outside `bounds` whose differences are all equal, or come from one case or cluster.
        ValueError: no case, sides of different length, a score that is not finite, or a bad level or range.
    """
    level = quantile.checked_level(level)
    low, high = checked_range(bounds)
    candidate_scores, baseline_scores = _pairs(candidate, baseline)
    changes = candidate_scores - baseline_scores
    changes[np.abs(changes) <= ROUNDING * np.maximum(np.abs(candidate_scores), np.abs(baseline_scores))] = 0.0
    sample = ClusteredSample.of(changes.tolist(), clusters, "difference")
    groups = sample.count if sample.clustered else None

    def interval(bottom: float, top: float, method: str) -> Interval:
        return Interval(sample.mean, min(bottom, sample.mean), max(top, sample.mean), level, method, sample.n, groups)

    if is_binary(candidate_scores) and is_binary(baseline_scores) and sample.independent and (low, high) == UNIT_RANGE:
        gains, losses = _discordant(candidate_scores, baseline_scores)
        return interval(*tango_interval(gains, losses, sample.n, quantile.normal(level)), "tango")
    inside = all_within(candidate_scores, (low, high)) and all_within(baseline_scores, (low, high))
    error = sample.error() if sample.count > 1 else 0.0
    if inside and (error == 0.0 or is_rare(sample.touched(sample.values != 0.0), sample.count)):
        return interval(*_effective(sample, error, level, high - low), "tango-effective")
    if error == 0.0:
        raise NoSpreadError(
            "The differences show no spread between clusters and the scores lie outside the stated range, so no interval can "
            "be given; state the range that scores can take as `bounds`, or add cases."
        )
    reach = quantile.student_t(level, sample.count - 1) * error
    width = high - low if inside else float("inf")
    method = "paired-cluster-robust" if sample.clustered else "paired-clt"
    return interval(max(-width, sample.mean - reach), min(width, sample.mean + reach), method)


def _effective(sample: ClusteredSample, error: float, level: float, width: float) -> tuple[float, float]:
    """Return Tango's bounds on an effective number of pairs, in the unit of the scores."""
    scaled = sample.values / width
    gain = float(np.clip(scaled, 0.0, None).mean())
    loss = float(np.clip(-scaled, 0.0, None).mean())
    size = effective_size(sample, (gain + loss - (gain - loss) ** 2) * width**2, error)
    bottom, top = tango_interval(gain * size, loss * size, size, effective_quantile(sample, error, level))
    return width * bottom, width * top


def mcnemar_exact(candidate: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the two-sided p-value of the hypothesis that gains and losses are equally likely; 1 where no case differs.

    It is twice the smaller tail of a binomial with probability 1/2 over the discordant cases, at most 1.
    Source: McNemar, Psychometrika 12 (1947); exact form as in Fagerland, Lydersen and Laake, BMC Med. Res. Meth. 13:91 (2013).

    Args:
        candidate: 0 or 1 a case.
        baseline: 0 or 1 a case, in the same order.

    Raises:
        ValueError: no case, sides of different length, or a score that is neither 0 nor 1.
    """
    candidate_scores, baseline_scores = _pairs(candidate, baseline)
    if not (is_binary(candidate_scores) and is_binary(baseline_scores)):
        raise ValueError("McNemar's test takes scores of 0 or 1 only; compare other scores by `paired_difference`.")
    gains, losses = _discordant(candidate_scores, baseline_scores)
    return min(1.0, 2 * quantile.binomial_share(min(gains, losses), gains + losses, 0.5))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple comparisons, in their order; each is compared with α for a family-wise error of α.

    The i-th smallest of m is multiplied by m - i + 1, made monotone, and limited to 1.
    Source: Holm, Scandinavian J. of Statistics 6 (1979).

    Raises:
        ValueError: a p-value outside [0, 1].
    """
    for place, value in enumerate(p_values):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"The p-value at position {place} is {value}; give probabilities between 0 and 1.")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def holm_step_down(rejected: Callable[[int, float], bool], count: int, level: float = 0.95) -> frozenset[int]:
    """Return the claims that are shown at a family-wise confidence `level`, by Holm's procedure on intervals.

    The result is that of `holm_adjusted` on the p-values that the intervals invert to. All m claims are tested at the level
    1 - α/m. Each claim that is shown leaves the family, so that the others are tested at a lower level, down to 1 - α.
    Source: as `holm_adjusted`.

    Args:
        rejected: returns whether the claim of an index in [0, count) is shown by its interval at a confidence level; that is,
            whether its null hypothesis is rejected.
        count: the number of claims.
        level: the confidence of the family, in (0, 1).

    Returns:
        The indices of the claims that are shown.
    """
    claims: set[int] = set()
    while len(claims) < count:
        claim_level = 1 - (1 - level) / (count - len(claims))
        further = {index for index in range(count) if index not in claims and rejected(index, claim_level)}
        if not further:
            break
        claims |= further
    return frozenset(claims)


def _pairs(candidate: Sequence[float], baseline: Sequence[float]) -> tuple[Floats, Floats]:
    """Return the scores of both sides as floats, shape (n,) each; raise ValueError for sides of different length."""
    if len(candidate) != len(baseline):
        raise ValueError(
            f"The candidate has {len(candidate)} scores and the baseline {len(baseline)}; "
            "compare the cases that both versions were scored on."
        )
    return finite_array(candidate, "candidate score"), finite_array(baseline, "baseline score")


def _discordant(candidate: Floats, baseline: Floats) -> tuple[int, int]:
    """Return the number of cases that only the candidate, and only the baseline, got right."""
    return int(np.count_nonzero(candidate > baseline)), int(np.count_nonzero(candidate < baseline))
