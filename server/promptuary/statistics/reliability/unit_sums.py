"""A coefficient of agreement as a function of sums over units, with its bootstrap interval over units."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import wilson_interval
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
    """

    coefficient: str
    columns: Floats
    multiplicities: Floats
    shares: Shares
    pairable: int

    @classmethod
    def of(cls, coefficient: str, columns: Floats, pairable: int, shares: Shares) -> "UnitSums":
        """Group units with equal columns; `columns` has one row a unit."""
        if not len(columns):
            return cls(coefficient, columns, np.zeros(0), shares, pairable)
        distinct, counts = np.unique(columns, axis=0, return_counts=True)
        return cls(coefficient, distinct, counts.astype(np.float64), shares, pairable)

    def agreement(self) -> Agreement:
        """Compute the coefficient, (observed - expected) / (1 - expected), or the reason why it is undefined."""
        if self.pairable == 0:
            return Agreement(self.coefficient, None, NO_PAIRS, None, None, 0)
        observed_draws, expected_draws = self.shares((self.multiplicities @ self.columns)[None, :])
        observed, expected = float(observed_draws[0]), float(expected_draws[0])
        chance = None if math.isnan(expected) else expected
        if chance is None or 1 - chance <= ROUNDING:
            return Agreement(self.coefficient, None, NO_VARIATION, observed, chance, self.pairable)
        return Agreement(self.coefficient, (observed - chance) / (1 - chance), None, observed, chance, self.pairable)

    def interval(self, *, seed: int, level: float = 0.95, resamples: int = 1_000) -> Interval | None:
        """Compute the percentile bootstrap interval of the coefficient over units.

        Draws in which the coefficient is undefined (only one label drawn) are left out. Where all labels agree, every draw
        would repeat the estimate: then the lower bound is Wilson's bound of the observed agreement over the units, corrected
        by the same expected agreement, so that few units do not look certain. Units are drawn, not labels, because the labels
        of a unit belong together. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Wilson,
        JASA 22 (1927).

        Args:
            seed: of the draws: the same seed gives the same interval.
            level: two-sided confidence, in (0, 1).
            resamples: the number of draws, at least 199.

        Returns:
            The interval; None where the coefficient, or more than half of its draws, is undefined.

        Raises:
            ValueError: too few resamples, or a level out of range.
        """
        level = quantile.checked_level(level)
        if resamples < 199:
            raise ValueError(f"{resamples} resamples do not place a tail; take at least 199.")
        whole = self.agreement()
        if whole.value is None or whole.observed is None or whole.expected is None:
            return None
        estimate = whole.value
        if whole.observed >= 1 - ROUNDING:
            bottom, _ = wilson_interval(whole.units, whole.units, quantile.normal(level))
            low = (bottom - whole.expected) / (1 - whole.expected)
            return Interval(estimate, min(low, estimate), estimate, level, "wilson-of-observed", whole.units, None)
        values = self._draws(np.random.default_rng(seed), resamples)
        if len(values) < resamples / 2:
            return None
        tail = (1 - level) / 2
        low, high = (float(bound) for bound in np.quantile(values, [tail, 1 - tail]))
        return Interval(estimate, min(low, estimate), max(high, estimate), level, "unit-bootstrap", whole.units, None)

    def _draws(self, rng: np.random.Generator, resamples: int) -> Floats:
        """Return the coefficient of each draw in which it is defined."""
        units = int(self.multiplicities.sum())
        chances = self.multiplicities / units
        step = max(1, _CELLS // len(chances))
        values = []
        for start in range(0, resamples, step):
            drawn = rng.multinomial(units, chances, size=min(step, resamples - start))
            observed, expected = self.shares(drawn @ self.columns)
            room = 1 - expected
            defined = room > ROUNDING  # False for NaN
            values.append((observed[defined] - expected[defined]) / room[defined])
        return np.concatenate(values)
