"""Intervals that stay valid however often one looks: the only sound reason to stop a run early."""

import math
from collections.abc import Sequence

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.sample import UNIT_RANGE, Floats, ScoreRange, all_within, checked_range, finite_array

# Bets are truncated to this share of the largest that cannot go broke; the paper names 1/2 and 3/4 as reasonable.
TRUNCATION = 0.75
STEPS = 50


def confidence_sequence(
    scores: Sequence[float], *, level: float = 0.95, bounds: ScoreRange = UNIT_RANGE, looks: Sequence[int] | None = None
) -> list[Interval]:
    """One interval after every case, or at the `looks`; with probability `level` all of them together hold the mean.

    So a run may stop at any look and for any reason that the scores so far give, which a fixed-n interval at every look does
    not allow. It is paid for in width. The scores must come in random order and be independent: shuffle the cases once before
    the run, and where they are clustered give one mean a cluster, not one score a case.

    The hedged capital process with predictable plug-in bets, and the running intersection of its intervals:
    K±_t(m) = Π (1 ± λ±_i(m)(x_i - m)), and m is excluded where either reaches 2/α. The bet on the i-th score comes from those
    before it, λ_i = √(2 log(2/α) / (σ̂²_{i-1} i log(1 + i))), truncated at 3/4 of 1/m or 1/(1 - m).
    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, J. Royal Statistical Society B 86
    (2024) 1-27, theorem 3 and section 4.2.

    Should the intersection ever be empty (probability below 1 - level, or scores that drift), the bounds before it are kept.

    Args:
        scores: finite numbers in the order in which they came, all inside `bounds`.
        level: two-sided confidence over all looks together, in (0, 1).
        bounds: the range that scores can take at all: the guarantee rests on it.
        looks: after how many scores to look, ascending, each in [1, n]; fewer looks are as valid and cost less.

    Returns:
        As many intervals as looks, each inside the one before; the estimate is the mean so far, held inside the bounds.

    Raises:
        ValueError: no score, a score outside `bounds` or not finite, or a bad level or range.
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
    chosen = range(1, values.size + 1) if looks is None else _checked_looks(looks, values.size)
    for look, (bottom, top) in zip(chosen, _bounds(scaled, 1 - level, chosen), strict=True):
        floor, ceiling = low + width * bottom, low + width * top
        estimate = min(ceiling, max(floor, float(means[look - 1])))
        intervals.append(Interval(estimate, floor, ceiling, level, "betting-sequence", look, None))
    return intervals


def difference_sequence(
    candidate: Sequence[float],
    baseline: Sequence[float],
    *,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
    looks: Sequence[int] | None = None,
) -> list[Interval]:
    """One interval of mean(candidate - baseline) after every case, valid at every look; see `confidence_sequence`.

    Args:
        candidate: finite scores in the order in which the cases were run, all inside `bounds`.
        baseline: the scores of the same cases, in the same order.
        level: two-sided confidence over all looks together.
        bounds: the range of a score; a difference lies within ± its width.
        looks: after how many cases to look; by default after every one.

    Raises:
        ValueError: sides of different length, or anything that `confidence_sequence` refuses.
    """
    low, high = checked_range(bounds)
    if len(candidate) != len(baseline):
        raise ValueError(
            f"The candidate has {len(candidate)} scores and the baseline {len(baseline)}; "
            "look only at cases that both versions were scored on."
        )
    ours, theirs = finite_array(candidate, "candidate score"), finite_array(baseline, "baseline score")
    if not (all_within(ours, (low, high)) and all_within(theirs, (low, high))):
        raise ValueError("A score lies outside the stated range; state the range that scores can take as `bounds`.")
    width = high - low
    changes = np.clip(ours - theirs, -width, width).tolist()
    return confidence_sequence(changes, level=level, bounds=(-width, width), looks=looks)


def _checked_looks(looks: Sequence[int], count: int) -> Sequence[int]:
    """Refuse looks that are not ascending numbers of scores that there are."""
    if not looks or list(looks) != sorted(set(looks)) or looks[0] < 1 or looks[-1] > count:
        raise ValueError(f"The looks {list(looks)!r} are not ascending numbers from 1 to {count}, the number of scores.")
    return looks


def _bounds(scaled: Floats, alpha: float, looks: Sequence[int]) -> list[tuple[float, float]]:
    """Running bounds of the mean of scores in [0, 1], one pair a look."""
    bets = _bets(scaled, alpha)
    threshold = math.log(2 / alpha)
    low, high = 0.0, 1.0
    pairs = []
    for look in looks:
        seen, stakes = scaled[:look], bets[:look]
        lower = _excluded_below(seen, stakes, threshold, low)
        upper = 1 - _excluded_below(1 - seen, stakes, threshold, 1 - high)
        if max(low, lower) <= min(high, upper):
            low, high = max(low, lower), min(high, upper)
        pairs.append((low, high))
    return pairs


def _bets(scaled: Floats, alpha: float) -> Floats:
    """The stake before each score, from the mean and variance of those before it; shape (n,)."""
    times = np.arange(1, scaled.size + 1)
    means = (0.5 + np.cumsum(scaled)) / (times + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (times + 1)
    before = np.concatenate(([0.25], variances[:-1]))
    stakes: Floats = np.sqrt(2 * math.log(2 / alpha) / (before * times * np.log1p(times)))
    return stakes


def _excluded_below(seen: Floats, stakes: Floats, threshold: float, start: float) -> float:
    """The largest mean m ≥ start that betting on more than m has excluded; the capital falls as m grows, so by bisection."""

    def excluded(m: float) -> bool:
        ceiling = TRUNCATION / m if m > 0 else math.inf
        return float(np.log1p(np.minimum(stakes, ceiling) * (seen - m)).sum()) >= threshold

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
