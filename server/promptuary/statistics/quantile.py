"""The only place of quantiles. Scipy is imported on first use, and no interval needs it: loading it takes longer than all."""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_NEWTON_STEPS, _FRACTION_STEPS, _LARGE = 100, 10_000, 80


def checked_level(level: float) -> float:
    """Return the confidence level; raise ValueError outside the open interval (0, 1), so that `95` never means 95 %."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level {level!r} is not between 0 and 1; give a share such as 0.95.")
    return float(level)


def normal(level: float) -> float:
    """Return the two-sided quantile of the standard normal: 1.96 for `level` 0.95."""
    return _NORMAL.inv_cdf(0.5 + checked_level(level) / 2)


def normal_tail(probability: float) -> float:
    """Return the z that a standard normal exceeds with `probability`, in (0, 1): 1.645 for 0.05."""
    return -_NORMAL.inv_cdf(probability)


def student_t(level: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t on `freedom` ≥ 1 degrees of freedom: 12.71 for 0.95 and 1."""
    return _student_t(checked_level(level), freedom)


@lru_cache(maxsize=1024)
def _student_t(level: float, freedom: int) -> float:
    """Compute the quantile by Newton's method, from the normal quantile up: the tail is convex there and above."""
    tail = (1 - level) / 2
    if freedom == 1:
        return 1 / math.tan(math.pi * tail)
    if freedom == 2:
        return (1 - 2 * tail) / math.sqrt(2 * tail * (1 - tail))
    quantile = normal(level)
    for _ in range(_NEWTON_STEPS):
        step = (student_t_tail(quantile, freedom) - tail) / _student_t_density(quantile, freedom)
        quantile += step
        if abs(step) <= 1e-15 * quantile:
            break
    return quantile


def student_t_tail(quantile: float, freedom: int) -> float:
    """Return the probability that Student's t on `freedom` degrees of freedom exceeds a quantile of 0 or more.

    Half the regularised incomplete beta function of `freedom / 2` and 1/2 at freedom / (freedom + quantile²): equation
    26.5.27 of Abramowitz and Stegun; by the continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions.
    """
    half = freedom / 2
    share = freedom / (freedom + quantile * quantile)
    scale = quantile / math.sqrt(freedom + quantile * quantile) * math.exp(-half * math.log1p(quantile * quantile / freedom))
    scale *= _gamma_ratio(half) / math.sqrt(math.pi)  # x^a (1-x)^b / B(a, b), of which the halves cancel as 1/a below
    if share < (half + 1) / (half + 2.5):
        return scale * _beta_fraction(half, 0.5, share) / half / 2
    return 0.5 - scale * _beta_fraction(0.5, half, 1 - share)


def _student_t_density(quantile: float, freedom: int) -> float:
    half = freedom / 2
    power = math.exp(-(half + 0.5) * math.log1p(quantile * quantile / freedom))
    return _gamma_ratio(half) * power / math.sqrt(math.pi * freedom)


def _gamma_ratio(half: float) -> float:
    """Return Γ(half + 1/2) / Γ(half): by the function itself, or by its asymptotic series (Tricomi and Erdélyi, 1951)."""
    if half < _LARGE:
        return math.gamma(half + 0.5) / math.gamma(half)
    inverse = 1 / half
    series = 1 + inverse * (
        -1 / 8 + inverse * (1 / 128 + inverse * (5 / 1024 + inverse * (-21 / 32768 - inverse * 399 / 262144)))
    )
    return math.sqrt(half) * series


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by the modified algorithm of Lentz."""
    tiny = 1e-300
    front, back = 1.0, 1 - (a + b) * x / (a + 1)
    back = 1 / (back or tiny)
    value = back
    for m in range(1, _FRACTION_STEPS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            back = 1 / (1 + numerator * back or tiny)
            front = 1 + numerator / front or tiny
            change = front * back
            value *= change
        if abs(change - 1) < 1e-16:
            break
    return value


def binomial_share(count: int, trials: int, probability: float) -> float:
    """Return the probability of at most `count` successes in `trials` independent ones."""
    from scipy.special import bdtr

    return float(bdtr(count, trials, probability))
