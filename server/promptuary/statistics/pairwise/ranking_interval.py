"""Intervals of strengths and of shares of preference, over resampled pairs; the same seed gives the same intervals."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics import quantile
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval, wilson_interval
from promptuary.statistics.pairwise.comparison import PairComparison
from promptuary.statistics.pairwise.ranking import Ranking, bradley_terry
from promptuary.statistics.sample import Floats

PRIOR = 0.5
"""Wins added in both directions of every pair, in those draws alone whose strengths are undefined without."""
_TOLERANCE = 1e-9
_ROUNDS = 2_000


@dataclass(frozen=True)
class RankedSide:
    """A side with its record, and its strength between bounds.

    Attributes:
        side: its name.
        wins: how often it was chosen.
        losses: how often the other one was chosen.
        ties: how often the two were judged equal.
        strength: by Bradley and Terry, geometric mean 1 over the sides; None where undefined.
        low: the lower bound; None where there is no strength.
        high: the upper bound.
    """

    side: Hashable
    wins: int
    losses: int
    ties: int
    strength: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Preference:
    """How often `first` was preferred over `second`, a tie counted as half, between bounds."""

    first: Hashable
    second: Hashable
    share: Interval


@dataclass(frozen=True)
class RankedSides:
    """The sides in the order of the call, and the preference within each pair of them that was compared.

    Attributes:
        sides: each with its strength.
        preferences: one a pair of sides with at least one choice.
        reason: why there are no strengths; None where there are.
        comparisons: the number of choices.
        level: of all bounds.
        smoothed: the share of draws in which strengths were defined by the prior alone; above 0 the bounds are rough.
    """

    sides: tuple[RankedSide, ...]
    preferences: tuple[Preference, ...]
    reason: str | None
    comparisons: int
    level: float
    smoothed: float


def rank_sides(
    sides: Sequence[Hashable],
    comparisons: Sequence[PairComparison],
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 999,
) -> RankedSides:
    """Compute the sides' strengths with percentile bootstrap intervals over units, and their preferences.

    Units are drawn with replacement, not choices, because the choices on one pair of outputs belong together. A draw in which
    a side never lost has no strengths; it is computed with a prior of half a win in both directions of every pair, so that it
    widens the interval: leaving it out would cut off the very draws in which a side is strongest.
    Source: Hunter, Annals of Statistics 32 (2004) 384-406, for the strengths; Efron and Tibshirani, An Introduction to the
    Bootstrap (1993), chapter 13, for the interval.

    Args:
        sides: the names, one each.
        comparisons: the choices; weights are counts of pairs that a choice stands for.
        seed: of the draws.
        level: two-sided confidence, in (0, 1).
        resamples: the number of draws, at least 199.

    Raises:
        ValueError: fewer than 2 sides, a side named twice, a choice of a side that is not ranked, too few resamples, or a
            level out of range.
    """
    level = quantile.checked_level(level)
    if resamples < 199:
        raise ValueError(f"{resamples} resamples do not place a tail; take at least 199.")
    places = _places(sides, comparisons)
    by_unit = _wins_by_unit(places, comparisons)
    ranking = bradley_terry(by_unit.sum(axis=0).tolist())
    bounds, smoothed = None, 0.0
    if ranking.strengths is not None:
        draws, smoothed = _draw_strengths(by_unit, np.random.default_rng(seed), resamples)
        tail = (1 - level) / 2
        bounds = np.quantile(draws, [tail, 1 - tail], axis=0)
    ranked = tuple(_ranked(side, places[side], ranking, bounds, comparisons) for side in sides)
    preferences = (_preference(first, second, comparisons, level) for first, second in combinations(sides, 2))
    return RankedSides(
        ranked, tuple(share for share in preferences if share), ranking.reason, len(comparisons), level, smoothed
    )


def _places(sides: Sequence[Hashable], comparisons: Sequence[PairComparison]) -> dict[Hashable, int]:
    places = {side: place for place, side in enumerate(sides)}
    if len(places) != len(sides):
        raise ValueError("A side is named twice; name each side once.")
    for comparison in comparisons:
        for side in (comparison.first, comparison.second):
            if side not in places:
                raise ValueError(f"A choice names {side!r}, which is not ranked; add it to the sides.")
    return places


def _wins_by_unit(places: dict[Hashable, int], comparisons: Sequence[PairComparison]) -> Floats:
    """Return the weighted wins within each unit, shape (units, sides, sides)."""
    numbers: dict[Hashable, int] = {}
    units = [numbers.setdefault(comparison.unit, len(numbers)) for comparison in comparisons]
    wins = np.zeros((max(1, len(numbers)), len(places), len(places)))
    for unit, comparison in zip(units, comparisons, strict=True):
        first, second = places[comparison.first], places[comparison.second]
        wins[unit, first, second] += comparison.weight * comparison.points(comparison.first)
        wins[unit, second, first] += comparison.weight * comparison.points(comparison.second)
    return wins


def _draw_strengths(by_unit: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, float]:
    """Return the strengths of each draw, shape (draws, sides), and the share of draws that needed the prior."""
    units, size = len(by_unit), by_unit.shape[1]
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=resamples)
    wins: Floats = (drawn @ by_unit.reshape(units, -1)).reshape(resamples, size, size)
    undefined = ~_connected(wins)
    wins[undefined] += PRIOR * (1 - np.eye(size))
    return _climb(wins), float(undefined.mean())


def _connected(wins: Floats) -> NDArray[np.bool_]:
    """Return for each draw whether a chain of wins leads from each side to each other; shape (draws,)."""
    reach = ((wins > 0) | np.eye(wins.shape[1], dtype=bool)).astype(float)
    for _ in range(wins.shape[1].bit_length()):
        reach = ((reach @ reach) > 0).astype(float)
    return np.asarray(reach.all(axis=(1, 2)), dtype=np.bool_)


def _climb(wins: Floats) -> Floats:
    """Iterate all draws to their maxima at once, as `bradley_terry` does for one."""
    totals, meetings = wins.sum(axis=2), wins + wins.transpose(0, 2, 1)
    strengths = np.ones(totals.shape)
    for _ in range(_ROUNDS):
        moved: Floats = totals / (meetings / (strengths[:, :, None] + strengths[:, None, :])).sum(axis=2)
        moved /= np.exp(np.log(moved).mean(axis=1, keepdims=True))
        if np.all(np.abs(moved - strengths) <= _TOLERANCE * moved):
            return moved
        strengths = moved
    return strengths


def _ranked(
    side: Hashable, place: int, ranking: Ranking, bounds: Floats | None, comparisons: Sequence[PairComparison]
) -> RankedSide:
    own = [comparison for comparison in comparisons if side in (comparison.first, comparison.second)]
    wins, ties = sum(comparison.winner == side for comparison in own), sum(comparison.winner is None for comparison in own)
    counts = (wins, len(own) - wins - ties, ties)
    if ranking.strengths is None or bounds is None:
        return RankedSide(side, *counts, None, None, None)
    strength = ranking.strengths[place]
    low, high = float(bounds[0, place]), float(bounds[1, place])
    return RankedSide(side, *counts, strength, min(low, strength), max(high, strength))


def _preference(first: Hashable, second: Hashable, comparisons: Sequence[PairComparison], level: float) -> Preference | None:
    """Return the share of `first` in its choices against `second`; None where the two were not compared.

    Equal weights: `mean_interval` with units as clusters. Unequal ones: Wilson's interval on Kish's effective number of
    units, (Σ w)²/Σ w² (Survey Sampling, 1965, section 11.7), as for Dean and Pagano's effective sizes.
    """
    own = [comparison for comparison in comparisons if {comparison.first, comparison.second} == {first, second}]
    if not own:
        return None
    points, units = [comparison.points(first) for comparison in own], [comparison.unit for comparison in own]
    if len({comparison.weight for comparison in own}) == 1:
        return Preference(first, second, mean_interval(points, clusters=units, level=level))
    weights: dict[Hashable, float] = {}
    for comparison in own:
        weights[comparison.unit] = weights.get(comparison.unit, 0.0) + comparison.weight
    total = sum(weights.values())
    share = sum(comparison.weight * point for comparison, point in zip(own, points, strict=True)) / total
    effective = total**2 / sum(weight**2 for weight in weights.values())
    low, high = wilson_interval(share * effective, effective, quantile.normal(level))
    return Preference(first, second, Interval(share, low, high, level, "wilson-effective", len(own), len(weights)))
