"""Confidence sequences: intervals that are valid at any number of interim analyses, so that a run may stop early."""

import math
from collections.abc import Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.sample import UNIT_RANGE, Floats, ScoreRange, all_within, checked_range, finite_array

# Bets are truncated to this share of the largest that cannot lose all capital; the paper names 1/2 and 3/4 as reasonable.
TRUNCATION = 0.75
STEPS = 50


def confidence_sequence(
    scores: Sequence[float],
    *,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
    interim_analyses: Sequence[int] | None = None,
) -> list[Interval]:
    """Compute an interval after each case, or at the interim analyses; with probability `level` all of them contain the mean.

    So a run may stop at any interim analysis and for any reason that the scores so far provide, which a fixed-n interval at
    each analysis does not allow. The cost is a wider interval. The scores must be independent and in random order: shuffle the
    cases once before the run, and where they are clustered pass one mean for each cluster, not one score for each case.

    Method: the hedged capital process with predictable plug-in bets, and the running intersection of its intervals:
    K±_t(m) = Π (1 ± λ±_i(m)(x_i - m)), and m is excluded where either reaches 2/α. The bet on the i-th score depends on those
    before it, λ_i = √(2 log(2/α) / (σ̂²_{i-1} i log(1 + i))), truncated at 3/4 of 1/m or 1/(1 - m).
    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, J. Royal Statistical Society B 86
    (2024) 1-27, theorem 3 and section 4.2.

    If the intersection becomes empty (probability below 1 - level, or scores that drift), the bounds before it stay.

    Args:
        scores: finite numbers in the order of the run, all inside `bounds`.
        level: two-sided confidence over all interim analyses together, in (0, 1).
        bounds: the range that scores can take at all: the guarantee rests on it.
        interim_analyses: the numbers of scores after which an interval is computed, ascending, each in [1, n]; None for each
            number. Fewer analyses are as valid and take less time.

    Returns:
        One interval for each interim analysis, each inside the one before; the estimate is the mean so far, within the bounds.

    Raises:
        ValueError: no score, a score outside `bounds` or not finite, interim analyses that are not ascending or out of range,
            or a level or range that is not valid.
    """
    level = quantile.checked_level(level)
    low, high = checked_range(bounds)
    values = finite_array(scores)
    if not all_within(values, (low, high)):
        raise ValueError("A score lies outside the stated range; state the range that scores can take as `bounds`.")
    width = high - low
    scaled = np.clip((values - low) / width, 0.0, 1.0)
    means = np.cumsum(values) / np.arange(1, values.size + 1)
    intervals = []
    counts = range(1, values.size + 1) if interim_analyses is None else _checked_counts(interim_analyses, values.size)
    for count, (bottom, top) in zip(counts, _bounds(scaled, 1 - level, counts), strict=True):
        lower, upper = low + width * bottom, low + width * top
        estimate = min(upper, max(lower, float(means[count - 1])))
        intervals.append(Interval(estimate, lower, upper, level, "betting-sequence", count, None))
    return intervals


def difference_sequence(
    candidate: Sequence[float],
    baseline: Sequence[float],
    *,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
    interim_analyses: Sequence[int] | None = None,
) -> list[Interval]:
    """Compute intervals of mean(candidate - baseline), valid at all interim analyses together; see `confidence_sequence`.

    Args:
        candidate: finite scores in the order in which the cases were run, all inside `bounds`.
        baseline: the scores of the same cases, in the same order.
        level: two-sided confidence over all interim analyses together, in (0, 1).
        bounds: the range of a score; a difference lies within ± its width.
        interim_analyses: the numbers of cases after which an interval is computed; None for each number.

    Raises:
        ValueError: sides of different length, or an argument that `confidence_sequence` rejects.
    """
    low, high = checked_range(bounds)
    if len(candidate) != len(baseline):
        raise ValueError(
            f"The candidate has {len(candidate)} scores and the baseline {len(baseline)}; "
            "compare the cases that both versions were scored on."
        )
    candidate_scores = finite_array(candidate, "candidate score")
    baseline_scores = finite_array(baseline, "baseline score")
    if not (all_within(candidate_scores, (low, high)) and all_within(baseline_scores, (low, high))):
        raise ValueError("A score lies outside the stated range; state the range that scores can take as `bounds`.")
    width = high - low
    changes = np.clip(candidate_scores - baseline_scores, -width, width).tolist()
    return confidence_sequence(changes, level=level, bounds=(-width, width), interim_analyses=interim_analyses)


def _checked_counts(analyses: Sequence[int], count: int) -> Sequence[int]:
    """Return the interim analyses; raise ValueError unless they are ascending numbers in [1, count]."""
    if not analyses or list(analyses) != sorted(set(analyses)) or analyses[0] < 1 or analyses[-1] > count:
        raise ValueError(
            f"The interim analyses {list(analyses)!r} are not ascending numbers from 1 to {count}, the number of scores."
        )
    return analyses


def _bounds(scaled: Floats, alpha: float, counts: Sequence[int]) -> list[tuple[float, float]]:
    """Return the running bounds of the mean of scores in [0, 1], one pair for each number of scores."""
    bets = _bets(scaled, alpha)
    threshold = math.log(2 / alpha)
    low, high = 0.0, 1.0
    pairs = []
    for count in counts:
        seen, stakes = scaled[:count], bets[:count]
        lower = _excluded_below(seen, stakes, threshold, low)
        upper = 1 - _excluded_below(1 - seen, stakes, threshold, 1 - high)
        if max(low, lower) <= min(high, upper):
            low, high = max(low, lower), min(high, upper)
        pairs.append((low, high))
    return pairs


def _bets(scaled: Floats, alpha: float) -> Floats:
    """Return the bet on each score, from the mean and variance of those before it; shape (n,)."""
    times = np.arange(1, scaled.size + 1)
    means = (0.5 + np.cumsum(scaled)) / (times + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (times + 1)
    before = np.concatenate(([0.25], variances[:-1]))
    stakes: Floats = np.sqrt(2 * math.log(2 / alpha) / (before * times * np.log1p(times)))
    return stakes


def _excluded_below(seen: Floats, stakes: Floats, threshold: float, start: float) -> float:
    """Find the largest mean m ≥ start that a bet on more than m has excluded, by bisection: the capital falls as m grows."""

    def excluded(m: float) -> bool:
        largest = TRUNCATION / m if m > 0 else math.inf
        return float(np.log1p(np.minimum(stakes, largest) * (seen - m)).sum()) >= threshold

    if not excluded(start):
        return start
    inside, outside = start, 1.0
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        if excluded(middle):
            inside = middle
        else:
            outside = middle
    return inside
