"""Means with an exact sum, and the one rule for averaging the repeats of a case. No numpy: light commands use it too."""

import math
from collections.abc import Iterable, Mapping, Sequence


def exact_mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, its sum without rounding: equal values have exactly their own value as mean.

    Args:
        values: at least one number.

    Raises:
        ValueError: no value.
    """
    if len(values) == 0:
        raise ValueError("There is no value to average; give at least one.")
    return math.fsum(values) / len(values)


def known_mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known, or None where none is.

    A value that is not known is None or NaN. It is left out: it never counts as zero. This is the mean of a case's
    repeats, some of which may not have been scored, and of costs, some of which may have no price.

    Args:
        values: finite numbers in any unit, None and NaN.

    Raises:
        ValueError: an infinite value.
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if any(math.isinf(value) for value in known):
        raise ValueError("A value is infinite; leave it out as not known.")
    return exact_mean(known) if known else None


def repeat_means(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean score of each case over its repeats, in the order of the cases.

    Repeats of a case are not further cases: counted as cases they would make every interval too narrow. The keys of the
    result line up cases with their clusters, and a candidate with its baseline.

    Args:
        scores: the scores of each case's repeats that were scored, by case.

    Raises:
        ValueError: a case without a score, or a score that is not finite.
    """
    means = {}
    for case, repeats in scores.items():
        if len(repeats) == 0:
            raise ValueError(f"The case {case!r} has no scored repeat; leave it out and count it as not run.")
        for place, score in enumerate(repeats):
            if not math.isfinite(score):
                raise ValueError(
                    f"The score of the case {case!r} at position {place} is {score}; "
                    "leave unscored cases out and count them instead."
                )
        means[case] = exact_mean(repeats)
    return means
