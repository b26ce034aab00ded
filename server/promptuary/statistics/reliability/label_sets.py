"""Agreement on sets of labels, such as tags: Krippendorff's alpha with the distance MASI."""

from collections.abc import Collection, Sequence

import numpy as np

from promptuary.statistics.reliability.alpha import fixed_distance_sums
from promptuary.statistics.reliability.unit_sums import UnitSums


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
        rows: one row an observer, one column a unit; None for a missing set. An empty set is a label.

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
    counts = np.zeros((len(units), len(places)))
    for unit, labelled in enumerate(units):
        for place in labelled:
            counts[unit, place] += 1
    sets = list(places)
    distances = np.array([[masi_distance(first, second) for second in sets] for first in sets]).reshape(len(sets), len(sets))
    return fixed_distance_sums("krippendorff-alpha-masi", counts[counts.sum(axis=1) >= 2], distances)
