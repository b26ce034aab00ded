"""The verdict of a gate from an interval: of five values, only one lets a version pass."""

import math
from collections.abc import Iterable
from enum import StrEnum

from promptuary.statistics.interval import Interval


class Verdict(StrEnum):
    """The outcome of a gate; only `pass` counts in favour of the version."""

    PASS = "pass"  # the evidence shows that the gate is met
    REGRESSION = "regression"  # the evidence shows that it is not
    INCONCLUSIVE = "inconclusive"  # the evidence is not enough for either: more cases or repeats would help
    INFRASTRUCTURE = "infrastructure"  # too many cases could not be run for a verdict from the others
    NO_GATE = "no gate"  # nothing was demanded, so nothing was judged; it counts neither for nor against the version


_SEVERITY = (Verdict.NO_GATE, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.INFRASTRUCTURE)


def non_inferiority_verdict(interval: Interval, margin: float) -> Verdict:
    """Judge candidate - baseline for non-inferiority: *pass* only where a loss of `margin` or more is excluded.

    Pass where the lower bound is above -margin, regression where the upper bound is below it, else inconclusive. A candidate
    that is truly worse by the margin passes with probability (1 - level)/2: 2.5 % for a 95 % interval.

    Args:
        interval: of the paired difference, candidate - baseline.
        margin: the largest loss that is tolerated, ≥ 0, in the unit of the scores.

    Raises:
        ValueError: a negative margin or one that is not finite.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"The margin {margin!r} is not a number of 0 or more; give the largest loss that is tolerated.")
    if interval.low > -margin:
        return Verdict.PASS
    if interval.high < -margin:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE


def floor_verdict(interval: Interval, bound: float) -> Verdict:
    """Judge a mean against a floor: *pass* only where the lower bound, not the estimate, reaches it.

    Raises:
        ValueError: a bound that is not finite.
    """
    if not math.isfinite(bound):
        raise ValueError(f"The bound {bound!r} is not a finite number; give the least mean score that is accepted.")
    if interval.low >= bound:
        return Verdict.PASS
    if interval.high < bound:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several gates together: infrastructure over regression over inconclusive over pass.

    Raises:
        ValueError: no verdicts to combine. What that means is the caller's decision; it is not a pass by itself.
    """
    worst = max(verdicts, key=_SEVERITY.index, default=None)
    if worst is None:
        raise ValueError("There are no verdicts to combine, which is not a pass by itself; decide before what it means.")
    return worst


def too_many_unrunnable(unrunnable: int, total: int, share: float) -> bool:
    """Return whether more than `share` of the cases could not be run, so that no verdict may rest on the others.

    Args:
        unrunnable: cases that could not be run or scored, in [0, total].
        total: all cases, ≥ 0; none at all counts as infrastructure.
        share: the largest share that is tolerated, in [0, 1].

    Raises:
        ValueError: counts or a share out of range.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"The share {share!r} is not between 0 and 1; give a share such as 0.05.")
    if not 0 <= unrunnable <= total:
        raise ValueError(f"{unrunnable} cases of {total} cannot have been unrunnable; count each case once.")
    return total == 0 or unrunnable > share * total
