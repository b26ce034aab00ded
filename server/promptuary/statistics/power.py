"""Power analysis before a run: the cases that an effect needs, the detectable effect, and the gain from more repeats."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.mean import exact_mean
from promptuary.statistics.sample import finite_array


@dataclass(frozen=True)
class VarianceComponents:
    """The variance components of the difference of two versions, in squared units of the scores.

    Attributes:
        between: ω², the variance over cases of the difference of the versions' true per-case means, ≥ 0. More cases shrink it,
            more repeats do not.
        candidate: σ_A², the mean variance of the candidate's repeats within a case, ≥ 0.
        baseline: σ_B², the same for the baseline; 0 where the baseline is a fixed floor.
    """

    between: float
    candidate: float
    baseline: float

    def __post_init__(self) -> None:
        """Raise ValueError for a variance that is negative or not finite."""
        for name, value in (("between", self.between), ("candidate", self.candidate), ("baseline", self.baseline)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"The variance {name} is {value}; give a finite number of 0 or more.")

    def per_case(self, repeats: int = 1, baseline_repeats: int | None = None) -> float:
        """Return the variance of one case's difference: ω² + σ_A²/K_A + σ_B²/K_B.

        Args:
            repeats: K_A ≥ 1.
            baseline_repeats: K_B ≥ 1; None for K_A.

        Raises:
            ValueError: a number of repeats below 1.
        """
        candidate_repeats, baseline_repeats = repeats, repeats if baseline_repeats is None else baseline_repeats
        for count in (candidate_repeats, baseline_repeats):
            if count < 1:
                raise ValueError(f"{count} repeats measure nothing; run each case at least once.")
        return self.between + self.candidate / candidate_repeats + self.baseline / baseline_repeats


@dataclass(frozen=True)
class StudyDesign:
    """How a comparison will be run and tested.

    Attributes:
        repeats: K_A ≥ 1, the repeats of each case by the candidate.
        baseline_repeats: K_B ≥ 1, the same by the baseline; None for K_A.
        level: two-sided confidence of the interval that will be used, in (0, 1).
        power: 1 - β, in (0, 1).
        design_effect: ≥ 1; with clusters of m cases and intraclass correlation ρ it is 1 + (m - 1)ρ (Kish, Survey Sampling,
            1965).
    """

    repeats: int = 1
    baseline_repeats: int | None = None
    level: float = 0.95
    power: float = 0.8
    design_effect: float = 1.0

    def variance(self, spread: VarianceComponents) -> float:
        """Return the variance of one case's difference, times the design effect.

        Raises:
            ValueError: a number of repeats, or a design effect, below 1.
        """
        if not (math.isfinite(self.design_effect) and self.design_effect >= 1):
            # Clusters never add information: a design effect below 1 would claim that they do.
            raise ValueError(f"The design effect {self.design_effect!r} is not a number of 1 or more; give 1 without clusters.")
        return spread.per_case(self.repeats, self.baseline_repeats) * self.design_effect

    def quantiles(self) -> float:
        """Return z_{α/2} + z_β of the standard normal.

        Raises:
            ValueError: a level or a power outside (0, 1).
        """
        if not 0.0 < 1 - self.power < 1.0:
            raise ValueError(f"The power {self.power!r} is not between 0 and 1; give a share such as 0.8.")
        return quantile.normal(self.level) + quantile.normal_tail(1 - self.power)


DEFAULT_DESIGN = StudyDesign()
MAX_CASES_NEEDED = 10**15
"""The greatest number of cases that is computed; it stands for every greater one, which nobody can run."""


@dataclass(frozen=True)
class DesignPoint:
    """The detectable effect of a number of cases and repeats.

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
    """Estimate the variance components from a pilot with the same cases on both sides.

    σ² is the mean over cases of the unbiased variance of the repeats. ω² is the variance of the per-case differences less the
    share of it that the repeats explain, and 0 where they explain all of it. With single repeats the two cannot be separated:
    all of the variance then counts as between cases, so that no gain from repeats is promised that was not observed.

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
    candidate_means, candidate_noise, candidate_share = _repeats(candidate)
    baseline_means, baseline_noise, baseline_share = _repeats(baseline)
    total = float(np.var(np.subtract(candidate_means, baseline_means), ddof=1))
    return VarianceComponents(max(0.0, total - candidate_share - baseline_share), candidate_noise, baseline_noise)


def cases_needed(effect: float, spread: VarianceComponents, design: StudyDesign = DEFAULT_DESIGN) -> int:
    """Compute the number of cases that shows a true effect with the design's power, rounded up; `MAX_CASES_NEEDED` at most.

    n = (z_{α/2} + z_β)² (ω² + σ_A²/K_A + σ_B²/K_B) / δ². Source: Miller, Adding Error Bars to Evals, arXiv:2411.00640 (2024),
    section 5. With the same n and power, a candidate that is truly equal passes a gate whose margin is the effect.

    Args:
        effect: δ > 0, in the unit of the scores.
        spread: from a pilot, or assumed.
        design: the repeats, level, power and design effect.

    Raises:
        ValueError: an argument out of range.
    """
    if not (math.isfinite(effect) and effect > 0):
        raise ValueError(f"The effect {effect!r} is not a number above 0; give the smallest difference that matters.")
    root = design.quantiles() * math.sqrt(design.variance(spread)) / effect
    if not abs(root) < math.sqrt(MAX_CASES_NEEDED):
        return MAX_CASES_NEEDED
    needed = root**2
    return max(1, math.ceil(needed - 1e-9 * needed))


def detectable_effect(cases: int, spread: VarianceComponents, design: StudyDesign = DEFAULT_DESIGN) -> float:
    """Compute the minimum detectable effect: the smallest true difference that `cases` cases show with the design's power.

    The formula is that of `cases_needed`, solved for δ, in the unit of the scores; `cases` is ≥ 1.

    Raises:
        ValueError: an argument out of range.
    """
    if cases < 1:
        raise ValueError(f"{cases} cases detect nothing; give at least 1.")
    return design.quantiles() * math.sqrt(design.variance(spread) / cases)


def design_points(
    spread: VarianceComponents,
    design: StudyDesign = DEFAULT_DESIGN,
    *,
    cases: Iterable[int],
    repeats: Iterable[int],
) -> list[DesignPoint]:
    """Compute the detectable effect of each combination of cases and repeats; repeats change fastest.

    Args:
        spread: from a pilot, or assumed.
        design: the level, power and design effect; `repeats` takes the place of both sides' repeats.
        cases: the numbers of cases, each ≥ 1.
        repeats: the numbers of repeats, each ≥ 1.

    Raises:
        ValueError: an argument out of range.
    """
    designs = [replace(design, repeats=count, baseline_repeats=None) for count in repeats]
    return [
        DesignPoint(number, point.repeats, detectable_effect(number, spread, point)) for number in cases for point in designs
    ]


def _repeats(scores: Sequence[Sequence[float]]) -> tuple[list[float], float, float]:
    """Return the per-case means, the mean variance within a case, and the mean share of it that remains in a case's mean."""
    means, variances, shares = [], [], []
    for place, repeats in enumerate(scores):
        values = finite_array(repeats, f"score of the case at position {place}")
        means.append(exact_mean(values.tolist()))
        if values.size > 1:
            variances.append(float(np.var(values, ddof=1)))
    noise = exact_mean(variances) if variances else 0.0
    shares = [noise / len(repeats) for repeats in scores]
    return means, noise, exact_mean(shares)
