"""Agreement on sets of labels, such as tags: Krippendorff's alpha with the distance MASI."""

from collections.abc import Collection, Sequence

import numpy as np

from promptuary.statistics.reliability.alpha import fixed_distance_sums
from promptuary.statistics.reliability.ratings import Codes, count_labels, renumbered, used_labels
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
    codes = [[-1 if sets is None else places.setdefault(frozenset(sets), len(places)) for sets in row] for row in rows]
    return coded_set_alpha_sums(list(places), np.array(codes, dtype=np.intp))


def coded_set_alpha_sums(sets: Sequence[frozenset[str]], codes: Codes) -> UnitSums:
    """Return the same sums of sets that are numbered.

    Args:
        sets: the different sets.
        codes: the place among them of each observer's set of each unit, shape (observers, units); -1 for a missing one.
    """
    name = "krippendorff-alpha-masi"
    used = used_labels(codes)
    if len(used) > SET_LIMIT:
        pairable = int(((codes >= 0).sum(axis=0) >= 2).sum())
        reason = f"undefined: {len(used)} different sets, more than the {SET_LIMIT} that are compared"
        return UnitSums(name, np.zeros((0, 1)), np.zeros(0), _no_shares, pairable, reason=reason)
    counts, multiplicities = count_labels(renumbered(codes, used), len(used))
    is_paired = counts.sum(axis=1) >= 2
    distances = _masi_distances([sets[place] for place in used])
    return fixed_distance_sums(name, counts[is_paired], multiplicities[is_paired], distances)


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
