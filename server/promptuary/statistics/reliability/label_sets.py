"""Agreement on sets of labels, such as tags: Krippendorff's alpha with the distance MASI."""

from collections.abc import Collection, Sequence

import numpy as np

from promptuary.statistics.reliability.alpha import fixed_distance_sums
from promptuary.statistics.reliability.unit_sums import UnitSums
from promptuary.statistics.sample import Floats

SET_LIMIT = 1_500
"""The largest number of different sets that are compared: their distances are a matrix."""


def masi_distance(first: Collection[str], second: Collection[str]) -> float:
    """Return the distance of two sets, in [0, 1]: 1 - Jaccard · monotonicity.

    Monotonicity is 1 for equal sets, 2/3 where one contains the other, 1/3 where they overlap otherwise, else 0.
    Source: Passonneau, Measuring Agreement on Set-valued Items (MASI), LREC 2006.
    """
    left, right = frozenset(first), frozenset(second)
    if left == right:
        return 0.0
    shared = len(left & right)
    monotonicity = 2 / 3 if left <= right or right <= left else 1 / 3 if shared else 0.0
    return 1 - shared / len(left | right) * monotonicity


def set_alpha_sums(rows: Sequence[Sequence[Collection[str] | None]]) -> UnitSums:
    """Return the sums of Krippendorff's alpha over sets of labels, whose distance is MASI.

    Args:
        rows: one row an observer, one column a unit; None for a missing set. An empty set is a label. With more than
            SET_LIMIT different sets the coefficient is undefined.

    Raises:
        ValueError: no row, or rows of different length.
    """
    if len({len(row) for row in rows}) != 1:
        raise ValueError("The observers have different numbers of units, or there is none; give each one set a unit.")
    places: dict[frozenset[str], int] = {}
    units: list[list[int]] = [[] for _ in rows[0]]
    for row in rows:
        for unit, labels in enumerate(row):
            if labels is not None:
                units[unit].append(places.setdefault(frozenset(labels), len(places)))
    name = "krippendorff-alpha-masi"
    if len(places) > SET_LIMIT:
        pairable = sum(len(labelled) >= 2 for labelled in units)
        reason = f"undefined: {len(places)} different sets, more than the {SET_LIMIT} that are compared"
        return UnitSums(name, np.zeros((0, 1)), np.zeros(0), _no_shares, pairable, reason=reason)
    counts = np.zeros((len(units), len(places)))
    for unit, labelled in enumerate(units):
        for place in labelled:
            counts[unit, place] += 1
    return fixed_distance_sums(name, counts[counts.sum(axis=1) >= 2], _masi_distances(list(places)))


def _no_shares(sums: Floats) -> tuple[Floats, Floats]:
    return np.full(len(sums), np.nan), np.full(len(sums), np.nan)


def _masi_distances(sets: Sequence[frozenset[str]]) -> Floats:
    """Return `masi_distance` of each two sets, shape (sets, sets)."""
    labels = {label: place for place, label in enumerate(sorted(set().union(*sets)))}
    members = np.zeros((len(sets), len(labels)))
    for place, each in enumerate(sets):
        members[place, [labels[label] for label in each]] = 1.0
    sizes = members.sum(axis=1)
    shared = members @ members.T
    smaller = np.minimum.outer(sizes, sizes)
    union = np.add.outer(sizes, sizes) - shared
    monotonicity = np.where(shared == smaller, 2 / 3, np.where(shared > 0, 1 / 3, 0.0))
    distances: Floats = 1 - shared / np.where(union > 0, union, 1.0) * monotonicity
    np.fill_diagonal(distances, 0.0)
    return distances
