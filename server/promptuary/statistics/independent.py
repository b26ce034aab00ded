"""The difference of two estimates from independent cases, by their intervals. No numpy."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """An estimate with its two-sided interval."""

    estimate: float
    low: float
    high: float


def independent_difference(candidate: Bounds, baseline: Bounds) -> Bounds:
    """Return the interval of candidate - baseline, of estimates from different cases, at the level of both intervals.

    Each bound of the difference recovers the variance of the estimates at the bounds that it is made of: with the distances
    from the estimates to these, its own distance is the root of the sum of their squares. Of two shares with Wilson's
    intervals this is Newcombe's method 10. Sources: Newcombe, Statistics in Medicine 17 (1998) 873-890; Zou and Donner,
    Statistics in Medicine 27 (2008) 1693-1702.
    """
    difference = candidate.estimate - baseline.estimate
    low = math.hypot(candidate.estimate - candidate.low, baseline.high - baseline.estimate)
    high = math.hypot(candidate.high - candidate.estimate, baseline.estimate - baseline.low)
    return Bounds(difference, difference - low, difference + high)
