"""What an interval says about a gate: four answers, of which only one lets a version through."""

import math
from collections.abc import Iterable
from enum import StrEnum

from promptuary.statistics.interval import Interval


class Verdict(StrEnum):
    """The outcome of a gate; every value but `pass` holds the version back, each for its own reason."""

    PASS = "pass"  # the evidence shows that the gate is met
    REGRESSION = "regression"  # the evidence shows that it is not
    INCONCLUSIVE = "inconclusive"  # the evidence does not reach either way: more cases or repeats would help
    INFRASTRUCTURE = "infrastructure"  # too many cases could not be run for the rest to speak


_SEVERITY = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.INFRASTRUCTURE)


def non_inferiority_verdict(interval: Interval, margin: float) -> Verdict:
    """Judge candidate - baseline for non-inferiority: *pass* only where a loss of `margin` or more is excluded.

    Pass where the lower bound is above -margin, regression where the upper bound is below it, else inconclusive. A candidate
    that is truly worse by the margin passes with probability (1 - level)/2: 2.5 % for a 95 % interval.

    Args:
        interval: of the paired difference, candidate - baseline.
        margin: the loss that would still be borne, ≥ 0, in the unit of the scores.

    Raises:
        ValueError: on a negative margin or one that is not finite.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"The margin {margin!r} is not a number of 0 or more; give the loss that would still be borne.")
    if interval.low > -margin:
        return Verdict.PASS
    if interval.high < -margin:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE


def floor_verdict(interval: Interval, bound: float) -> Verdict:
    """Judge a mean against a floor: *pass* only where the lower bound, not the estimate, reaches it.

    Raises:
        ValueError: on a bound that is not finite.
    """
    if not math.isfinite(bound):
        raise ValueError(f"The bound {bound!r} is not a finite number; give the least mean score that is accepted.")
    if interval.low >= bound:
        return Verdict.PASS
    if interval.high < bound:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several gates together: infrastructure over regression over inconclusive over pass.

    Raises:
        ValueError: on no verdict at all, which must never count as a pass.
    """
    found = max(verdicts, key=_SEVERITY.index, default=None)
    if found is None:
        raise ValueError("There is no verdict to combine; a suite without a gate has none, and is not a pass.")
    return found


def too_many_unrunnable(unrunnable: int, total: int, share: float) -> bool:
    """Whether more than `share` of the cases could not be run, so that no verdict may rest on the others.

    Args:
        unrunnable: cases that could not be run or scored, in [0, total].
        total: all cases, ≥ 0; none at all counts as infrastructure.
        share: the largest share that is borne, in [0, 1].

    Raises:
        ValueError: on counts or a share out of range.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"The share {share!r} is not between 0 and 1; give a share such as 0.05.")
    if not 0 <= unrunnable <= total:
        raise ValueError(f"{unrunnable} cases of {total} cannot have been unrunnable; count each case once.")
    return total == 0 or unrunnable > share * total
