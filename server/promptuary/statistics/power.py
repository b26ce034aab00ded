"""Before a run: how many cases show an effect, how small an effect given cases show, and what more repeats would buy."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.mean import exact_mean
from promptuary.statistics.sample import finite_array


@dataclass(frozen=True)
class VarianceComponents:
    """Where the difference of two versions varies, in squared units of the scores.

    Attributes:
        between: ω², the variance over cases of the difference of the versions' true per-case means, ≥ 0. More cases shrink it,
            more repeats do not.
        candidate: σ_A², the mean variance of the candidate's repeats within a case, ≥ 0.
        baseline: σ_B², the same of the baseline; 0 where the baseline is a fixed floor.
    """

    between: float
    candidate: float
    baseline: float

    def __post_init__(self) -> None:
        """Refuse a variance that is negative or not finite."""
        for name, value in (("between", self.between), ("candidate", self.candidate), ("baseline", self.baseline)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"The variance {name} is {value}; give a finite number of 0 or more.")

    def per_case(self, repeats: int = 1, baseline_repeats: int | None = None) -> float:
        """The variance of one case's difference: ω² + σ_A²/K_A + σ_B²/K_B.

        Args:
            repeats: K_A ≥ 1, and K_B too unless `baseline_repeats` says otherwise.
            baseline_repeats: K_B ≥ 1.
        """
        theirs = repeats if baseline_repeats is None else baseline_repeats
        for count in (repeats, theirs):
            if count < 1:
                raise ValueError(f"{count} repeats measure nothing; run each case at least once.")
        return self.between + self.candidate / repeats + self.baseline / theirs


@dataclass(frozen=True)
class DesignPoint:
    """What a number of cases and repeats would show.

    Attributes:
        cases: n.
        repeats: K, of both versions.
        effect: the minimum detectable effect, in the unit of the scores.
    """

    cases: int
    repeats: int
    effect: float


def estimate_variance_components(
    candidate: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]
) -> VarianceComponents:
    """Estimate the spread from a pilot of the same cases on both sides; held at 0 where noise alone explains the differences.

    σ² is the mean over cases of the unbiased variance of the repeats, and ω² the variance of the per-case differences less the
    share of it that the repeats explain. With single repeats the two cannot be told apart: all of the variance then counts as
    between cases, so that no gain from repeats is promised that was not seen.

    Args:
        candidate: for each of at least 2 cases its repeats' scores, at least 1 each.
        baseline: the same cases in the same order; the number of repeats may differ.

    Raises:
        ValueError: fewer than 2 cases, sides of different length, a case without a score, or a score that is not finite.
    """
    if len(candidate) != len(baseline):
        raise ValueError(f"The candidate has {len(candidate)} cases and the baseline {len(baseline)}; give the same cases.")
    if len(candidate) < 2:
        raise ValueError(f"A pilot of {len(candidate)} cases shows no spread; score at least 2.")
    ours, ours_noise, ours_share = _repeats(candidate)
    theirs, theirs_noise, theirs_share = _repeats(baseline)
    total = float(np.var(np.subtract(ours, theirs), ddof=1))
    return VarianceComponents(max(0.0, total - ours_share - theirs_share), ours_noise, theirs_noise)


def cases_needed(
    effect: float,
    spread: VarianceComponents,
    *,
    repeats: int = 1,
    baseline_repeats: int | None = None,
    level: float = 0.95,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> int:
    """The number of cases that shows a true effect with the given power, rounded up.

    n = (z_{α/2} + z_β)² (ω² + σ_A²/K_A + σ_B²/K_B) / δ². Source: Miller, Adding Error Bars to Evals, arXiv:2411.00640 (2024),
    section 5. The same n lets a candidate that is truly equal pass a gate whose margin is the effect.

    Args:
        effect: δ > 0, in the unit of the scores.
        spread: from a pilot, or assumed.
        repeats: K_A, and K_B unless given.
        baseline_repeats: K_B.
        level: two-sided confidence of the interval that will be used, in (0, 1).
        power: 1 - β, in (0, 1).
        design_effect: ≥ 1 with clusters of m cases and intraclass correlation ρ: 1 + (m - 1)ρ (Kish, Survey Sampling, 1965).

    Raises:
        ValueError: an argument out of range.
    """
    if not (math.isfinite(effect) and effect > 0):
        raise ValueError(f"The effect {effect!r} is not a number above 0; give the smallest difference that matters.")
    variance = spread.per_case(repeats, baseline_repeats) * _checked_design(design_effect)
    needed = _quantiles(level, power) ** 2 * variance / effect**2
    return max(1, math.ceil(needed - 1e-9 * needed))


def detectable_effect(
    cases: int,
    spread: VarianceComponents,
    *,
    repeats: int = 1,
    baseline_repeats: int | None = None,
    level: float = 0.95,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> float:
    """The minimum detectable effect: the smallest true difference that `cases` cases show with the given power.

    The formula of `cases_needed`, solved for δ; arguments, source and errors as there, with `cases` ≥ 1.
    """
    if cases < 1:
        raise ValueError(f"{cases} cases detect nothing; give at least 1.")
    variance = spread.per_case(repeats, baseline_repeats) * _checked_design(design_effect)
    return _quantiles(level, power) * math.sqrt(variance / cases)


def design_points(
    spread: VarianceComponents,
    *,
    cases: Iterable[int],
    repeats: Iterable[int],
    level: float = 0.95,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> list[DesignPoint]:
    """What more cases or more repeats would buy: the detectable effect of every combination, repeats changing fastest."""
    counts = list(repeats)
    return [
        DesignPoint(
            number,
            count,
            detectable_effect(number, spread, repeats=count, level=level, power=power, design_effect=design_effect),
        )
        for number in cases
        for count in counts
    ]


def _repeats(scores: Sequence[Sequence[float]]) -> tuple[list[float], float, float]:
    """Per-case means, the variance within a case, and how much of it is left in a case's mean on average."""
    means, variances, shares = [], [], []
    for place, repeats in enumerate(scores):
        values = finite_array(repeats, f"score of the case at position {place}")
        means.append(exact_mean(values.tolist()))
        if values.size > 1:
            variances.append(float(np.var(values, ddof=1)))
    noise = exact_mean(variances) if variances else 0.0
    shares = [noise / len(repeats) for repeats in scores]
    return means, noise, exact_mean(shares)


def _quantiles(level: float, power: float) -> float:
    """z_{α/2} + z_β."""
    if not 0.0 < power < 1.0:
        raise ValueError(f"The power {power!r} is not between 0 and 1; give a share such as 0.8.")
    return quantile.normal(level) + quantile.normal_tail(1 - power)


def _checked_design(design_effect: float) -> float:
    """Refuse a design effect below 1: clusters never add information that cases on their own would lack."""
    if not (math.isfinite(design_effect) and design_effect >= 1):
        raise ValueError(f"The design effect {design_effect!r} is not a number of 1 or more; give 1 without clusters.")
    return design_effect
