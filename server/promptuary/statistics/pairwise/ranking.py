"""Strengths from pairwise choices. The result is undefined, with a reason, where wins do not connect all sides both ways."""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.sample import Floats

TOLERANCE = 1e-12
ROUNDS = 100_000


@dataclass(frozen=True)
class Ranking:
    """Strengths by Bradley and Terry, or the reason why there are none.

    Attributes:
        strengths: one positive number a side, in the order of the wins, with geometric mean 1; the odds that one side is chosen
            over another are the ratio of their strengths. None where undefined.
        reason: why the strengths are undefined; None where they are not.
        comparisons: the number of choices counted.
    """

    strengths: tuple[float, ...] | None
    reason: str | None
    comparisons: float

    def chance(self, first: int, second: int) -> float | None:
        """Return the probability that the side at position `first` is chosen over the one at `second`; None where undefined."""
        if self.strengths is None:
            return None
        return self.strengths[first] / (self.strengths[first] + self.strengths[second])


def count_wins(
    sides: Sequence[Hashable], choices: Iterable[tuple[Hashable, Hashable]], ties: Iterable[tuple[Hashable, Hashable]] = ()
) -> list[list[float]]:
    """Count choices into a matrix of wins, a tie as half a win for each side.

    Args:
        sides: the names, one each; they set the order of rows and columns.
        choices: (winner, loser) pairs.
        ties: pairs that were judged equal.

    Raises:
        ValueError: a side named twice, one that is not in `sides`, or a side against itself.
    """
    places = {side: place for place, side in enumerate(sides)}
    if len(places) != len(sides):
        raise ValueError("A side is named twice; give each side once.")
    wins = [[0.0] * len(sides) for _ in sides]
    for weight, pairs in ((1.0, choices), (0.5, ties)):
        for first, second in pairs:
            if first not in places or second not in places:
                raise ValueError(f"The pair {first!r}, {second!r} names a side that is not ranked; add it to the sides.")
            if first == second:
                raise ValueError(f"The side {first!r} is compared with itself; leave the pair out.")
            wins[places[first]][places[second]] += weight
            if weight < 1:
                wins[places[second]][places[first]] += weight
    return wins


def bradley_terry(wins: Sequence[Sequence[float]], *, prior: float = 0.0) -> Ranking:
    """Compute the maximum-likelihood strengths of pairwise wins, with geometric mean 1.

    Algorithm: minorisation and maximisation, p_i ← W_i / Σ_j n_ij / (p_i + p_j), until no strength changes by more than 1e-12
    of itself. Defined where every split of the sides in two has wins both ways (Ford, Amer. Math. Monthly 64, 1957).
    Source: Hunter, MM algorithms for generalized Bradley-Terry models, Annals of Statistics 32 (2004) 384-406.

    Args:
        wins: wins[i][j] is the number of times that side i was chosen over side j, ≥ 0, a tie half each; square, zero on the
            diagonal.
        prior: wins added to both directions of every pair, ≥ 0; above 0 it pulls strengths together and defines them always.

    Returns:
        The ranking; its strengths are None where the likelihood has no maximum, such as a side that never lost.

    Raises:
        ValueError: fewer than 2 sides, a matrix that is not square, a count that is negative or not finite, or a diagonal.
    """
    counts = _checked(wins)
    if not (math.isfinite(prior) and prior >= 0):
        raise ValueError(f"The prior {prior!r} is not a number of 0 or more; give a small count such as 0.5.")
    comparisons = float(counts.sum())
    padded = counts + prior * (1 - np.eye(len(counts)))
    if not _connected(padded):
        reason = "undefined: some sides never lost to, or never won against, the others; compare more pairs or set a prior"
        return Ranking(None, reason, comparisons)
    return Ranking(tuple(_climb(padded).tolist()), None, comparisons)


def _climb(wins: Floats) -> Floats:
    """Iterate to the maximum, which is unique where the sides are connected."""
    totals, meetings = wins.sum(axis=1), wins + wins.T
    strengths = np.ones(len(wins))
    for _ in range(ROUNDS):
        shares = meetings / (strengths[:, None] + strengths[None, :])
        moved: Floats = totals / shares.sum(axis=1)
        moved /= np.exp(np.log(moved).mean())
        if np.all(np.abs(moved - strengths) <= TOLERANCE * moved):
            return moved
        strengths = moved
    return strengths


def _connected(wins: Floats) -> bool:
    """Return whether a chain of wins leads from each side to each other."""
    reach: NDArray[np.bool_] = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins).bit_length()):
        reach = (reach.astype(float) @ reach.astype(float)) > 0
    return bool(reach.all())


def _checked(wins: Sequence[Sequence[float]]) -> Floats:
    """Return the wins as a square matrix of finite counts; raise ValueError for anything else."""
    if len(wins) < 2 or any(len(row) != len(wins) for row in wins):
        raise ValueError("The wins are not a square matrix of at least 2 sides; give one row and one column a side.")
    counts = np.asarray(wins, dtype=np.float64)
    if not np.all(np.isfinite(counts)) or counts.min() < 0:
        raise ValueError("A count of wins is negative or not finite; count choices, half for a tie.")
    if np.any(np.diag(counts) != 0):
        raise ValueError("A side has wins over itself; put zeros on the diagonal.")
    return counts
