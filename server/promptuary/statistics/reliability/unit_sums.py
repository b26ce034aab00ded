"""A coefficient of agreement as a function of sums over units, with its bootstrap interval over units."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import wilson_interval
from promptuary.statistics.reliability.distinct_rows import SparseColumns
from promptuary.statistics.sample import ROUNDING, Floats

NO_VARIATION = "undefined: no variation"
NO_PAIRS = "undefined: no unit has two labels"
_CELLS = 2_000_000
"""The largest number of drawn multiplicities in memory at once."""


@dataclass(frozen=True)
class Agreement:
    """A chance-corrected coefficient, or the reason why it is undefined for the labels.

    Attributes:
        coefficient: its name: `krippendorff-alpha-nominal`, `gwet-ac1`, `cohen-kappa`, …
        value: at most 1; 0 is agreement by chance, below 0 is worse than chance. None where undefined.
        reason: why it is undefined; None where it is not.
        observed: the share of agreement (1 - observed disagreement for alpha and weighted kappa); None without pairs.
        expected: the share expected by chance alone; None without pairs.
        units: the number of units with at least two labels.
    """

    coefficient: str
    value: float | None
    reason: str | None
    observed: float | None
    expected: float | None
    units: int


Shares = Callable[[Floats], tuple[Floats, Floats]]
"""Compute observed and expected agreement, each of shape (draws,), from sums of shape (draws, columns).

Expected agreement is 1 or NaN where chance alone would always agree.
"""


@dataclass(frozen=True, eq=False)
class UnitSums:
    """The columns that each distinct unit adds to the sums of a coefficient, and how often each occurs.

    Attributes:
        coefficient: its name, as in `Agreement`.
        columns: shape (distinct units, columns).
        multiplicities: how many units have these columns; shape (distinct units,).
        shares: computes observed and expected agreement from sums of the columns.
        pairable: the number of units with at least two labels.
        value_of_constant: the value of a draw in which all labels are equal; None where that could be any value.
        reason: why the coefficient is not computed, for labels that no such sums are made of; None where it is.
    """

    coefficient: str
    columns: Floats | SparseColumns
    multiplicities: Floats
    shares: Shares
    pairable: int
    value_of_constant: float | None = None
    reason: str | None = None

    def agreement(self) -> Agreement:
        """Compute the coefficient, (observed - expected) / (1 - expected), or the reason why it is undefined."""
        if self.pairable == 0:
            return Agreement(self.coefficient, None, NO_PAIRS, None, None, 0)
        if self.reason is not None:
            return Agreement(self.coefficient, None, self.reason, None, None, self.pairable)
        observed_draws, expected_draws = self.shares(self._sums(self.multiplicities[None, :]))
        observed, expected = float(observed_draws[0]), float(expected_draws[0])
        chance = None if math.isnan(expected) else expected
        if chance is None or 1 - chance <= ROUNDING:
            return Agreement(self.coefficient, None, NO_VARIATION, observed, chance, self.pairable)
        return Agreement(self.coefficient, (observed - chance) / (1 - chance), None, observed, chance, self.pairable)

    def interval(self, *, seed: int, level: float = 0.95, resamples: int = 1_000) -> Interval | None:
        """Compute the percentile bootstrap interval of the coefficient over units; never of zero width.

        A draw in which the coefficient is undefined (only one label drawn) could be anything: it counts as -1 for the lower
        bound and as 1 for the upper one, so that scarce data widen the interval. Where the draws reach no further than the
        estimate on a side, as when all labels agree, that bound is Wilson's of the observed agreement over the units, corrected
        by the same expected agreement. Units are drawn, not labels, because the labels of a unit belong together. Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Wilson, JASA 22 (1927); the error of kappa
        by its observed agreement alone: Cohen, Educ. Psych. Measurement 20 (1960).

        Args:
            seed: of the draws: the same seed gives the same interval.
            level: two-sided confidence, in (0, 1).
            resamples: the number of draws, at least 199.

        Returns:
            The interval; None where the coefficient is undefined.

        Raises:
            ValueError: too few resamples, or a level out of range.
        """
        level = quantile.checked_level(level)
        if resamples < 199:
            raise ValueError(f"{resamples} resamples do not place a tail; take at least 199.")
        whole = self.agreement()
        if whole.value is None or whole.observed is None or whole.expected is None:
            return None
        estimate, method = whole.value, "unit-bootstrap"
        lowest, highest = self._draws(np.random.default_rng(seed), resamples)
        tail = (1 - level) / 2
        low, high = float(np.quantile(lowest, tail)), float(np.quantile(highest, 1 - tail))
        bounds = wilson_interval(whole.observed * whole.units, whole.units, quantile.normal(level))
        bottom, top = (max(-1.0, (bound - whole.expected) / (1 - whole.expected)) for bound in bounds)
        if low >= estimate - ROUNDING:
            low, method = bottom, "unit-bootstrap-wilson"
        if high <= estimate + ROUNDING < 1:
            high, method = top, "unit-bootstrap-wilson"
        return Interval(estimate, min(low, estimate), min(1.0, max(high, estimate)), level, method, whole.units, None)

    def _draws(self, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
        """Return the coefficient of each draw: the lowest and the highest that it can be."""
        units = int(self.multiplicities.sum())
        chances = self.multiplicities / units
        step = max(1, _CELLS // len(chances))
        lowest, highest = [], []
        for start in range(0, resamples, step):
            drawn = rng.multinomial(units, chances, size=min(step, resamples - start))
            with np.errstate(divide="ignore", invalid="ignore"):
                observed, expected = self.shares(self._sums(drawn))
                values = (observed - expected) / (1 - expected)
            undefined = ~(1 - expected > ROUNDING) | np.isnan(observed)
            constant = undefined & ~np.isnan(observed) & (self.value_of_constant is not None)
            values = np.where(constant, self.value_of_constant or 0.0, values)
            lowest.append(np.where(undefined & ~constant, -1.0, values))
            highest.append(np.where(undefined & ~constant, 1.0, values))
        return np.concatenate(lowest), np.concatenate(highest)

    def _sums(self, multiplicities: Floats | NDArray[np.int64]) -> Floats:
        """Return the sums of the columns, shape (draws, columns), over units that occur so often, shape (draws, units)."""
        if isinstance(self.columns, SparseColumns):
            return self.columns.weighted_sums(multiplicities.astype(np.float64))
        sums: Floats = multiplicities @ self.columns
        return sums
