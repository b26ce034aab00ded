"""The only place of quantiles. Scipy is imported on first use: a run of plain 0/1 scores needs the normal quantile alone.

Everything of scipy here is `scipy.special`, which loads in a third of `scipy.stats`.
"""

from statistics import NormalDist

_NORMAL = NormalDist()


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
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + checked_level(level) / 2))


def binomial_share(count: int, trials: int, probability: float) -> float:
    """Return the probability of at most `count` successes in `trials` independent ones."""
    from scipy.special import bdtr

    return float(bdtr(count, trials, probability))
