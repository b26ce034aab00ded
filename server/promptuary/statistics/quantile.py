"""The only place that asks scipy for quantiles: everything here is `scipy.special`, which loads in a third of `scipy.stats`."""

from scipy.special import bdtr, ndtri, stdtrit  # type: ignore[import-untyped, unused-ignore]


def checked_level(level: float) -> float:
    """Refuse a confidence level outside the open interval (0, 1), so that `95` never passes for 95 %."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level {level!r} is not between 0 and 1; give a share such as 0.95.")
    return float(level)


def normal(level: float) -> float:
    """Two-sided quantile of the standard normal: 1.96 for `level` 0.95."""
    return float(ndtri(0.5 + checked_level(level) / 2))


def normal_tail(probability: float) -> float:
    """The z that a standard normal exceeds with `probability`, which lies in (0, 1): 1.645 for 0.05."""
    return float(-ndtri(probability))


def student(level: float, freedom: int) -> float:
    """Two-sided quantile of Student's t on `freedom` ≥ 1 degrees of freedom: 12.71 for 0.95 and 1."""
    return float(stdtrit(freedom, 0.5 + checked_level(level) / 2))


def binomial_share(count: int, trials: int, probability: float) -> float:
    """The probability of at most `count` successes in `trials` independent ones."""
    return float(bdtr(count, trials, probability))
