"""Krippendorff's alpha as sums over units, for each meaning of the distance between two labels."""

from enum import StrEnum

import numpy as np

from promptuary.statistics.reliability.distinct_rows import SparseColumns, distinct_rows
from promptuary.statistics.reliability.unit_sums import Shares, UnitSums
from promptuary.statistics.sample import Floats


class DistanceMetric(StrEnum):
    """What a distance between two labels means for Krippendorff's alpha."""

    NOMINAL = "nominal"  # labels are the same or not
    ORDINAL = "ordinal"  # labels have an order, and the number of labels given between two is their distance
    INTERVAL = "interval"  # labels are numbers, and their difference is their distance
    RATIO = "ratio"  # labels are numbers of 0 or more, and their difference counts relative to their sum


NUMERIC = (DistanceMetric.INTERVAL, DistanceMetric.RATIO)


def alpha_sums(counts: Floats, metric: DistanceMetric, numbers: Floats, multiplicities: Floats | None = None) -> UnitSums:
    """Return alpha's sums over units: α = 1 - D_o/D_e over the coincidences of labels within units.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections C and D.

    Args:
        counts: how often each unit got each label, shape (units, labels).
        metric: what a distance between labels means.
        numbers: the labels as numbers, shape (labels,), for the interval and ratio metrics.
        multiplicities: how many units have these counts, shape (units,); None for one each.

    Raises:
        ValueError: a number below 0 with the ratio metric.
    """
    distinct, multiplicities = distinct_rows(counts, multiplicities)
    is_paired = distinct.sum(axis=1) >= 2
    paired, multiplicities = distinct[is_paired], multiplicities[is_paired]
    if metric is DistanceMetric.ORDINAL:
        return _ordinal_sums(paired, multiplicities)
    if metric is DistanceMetric.INTERVAL:
        return _interval_sums(paired, multiplicities, numbers)
    distances = 1.0 - np.eye(counts.shape[1]) if metric is DistanceMetric.NOMINAL else _ratio_distances(numbers)
    return fixed_distance_sums(f"krippendorff-alpha-{metric}", paired, multiplicities, distances)


def fixed_distance_sums(coefficient: str, counts: Floats, multiplicities: Floats, distances: Floats) -> UnitSums:
    """Return alpha's sums for distances that do not depend on how often each label occurs.

    Args:
        coefficient: the name of the result.
        counts: how often each unit with at least two labels got each label, shape (units, labels).
        multiplicities: how many units have these counts, shape (units,).
        distances: shape (labels, labels), 0 on the diagonal.
    """
    largest = float(distances.max(initial=0.0))
    scaled = distances / largest if largest > 0 else distances
    disagreement = ((counts @ scaled) * counts).sum(axis=1) / (counts.sum(axis=1) - 1)

    def shares(sums: Floats) -> tuple[Floats, Floats]:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        return 1 - sums[:, 0] / n, 1 - ((totals @ scaled) * totals).sum(axis=1) / (n * (n - 1))

    columns = np.column_stack([disagreement, counts])
    return UnitSums(coefficient, *distinct_rows(columns, multiplicities), shares, _total(multiplicities))


def number_alpha_sums(numbers: Floats) -> UnitSums:
    """Return alpha's sums for differences of numbers, by moments: no matrix of all distinct numbers is needed.

    Args:
        numbers: those that each observer gave to each unit, shape (observers, units); NaN for a missing one. Units with fewer
            than two are left out.
    """
    is_present = ~np.isnan(numbers)
    sizes = is_present.sum(axis=0).astype(np.float64)
    paired, sizes = np.where(is_present, numbers, np.nan)[:, sizes >= 2], sizes[sizes >= 2]
    centre, spread = _centre_and_spread(paired.T[~np.isnan(paired.T)])
    scaled = np.nan_to_num((paired - centre) / spread)
    return _moment_sums(np.column_stack([sizes, scaled.sum(axis=0), (scaled**2).sum(axis=0)]), np.ones(len(sizes)))


def _interval_sums(counts: Floats, multiplicities: Floats, numbers: Floats) -> UnitSums:
    centre, spread = _centre_and_spread(numbers[counts.sum(axis=0) > 0] if len(counts) else numbers[:0])
    scaled = (numbers - centre) / spread
    return _moment_sums(np.column_stack([counts.sum(axis=1), counts @ scaled, counts @ scaled**2]), multiplicities)


def _centre_and_spread(numbers: Floats) -> tuple[float, float]:
    """Return what makes the largest difference 1, and keeps squares exact."""
    return (float(numbers.mean()), float(numbers.max() - numbers.min()) or 1.0) if numbers.size else (0.0, 1.0)


def _moment_sums(moments: Floats, multiplicities: Floats) -> UnitSums:
    """Return the sums from each unit's number of labels, their sum and the sum of their squares, shape (units, 3)."""
    sizes, first, second = moments.T
    disagreement = np.maximum(0.0, 2 * (sizes * second - first**2) / (sizes - 1))

    def shares(sums: Floats) -> tuple[Floats, Floats]:
        observed, n, total, squares = sums.T
        return 1 - observed / n, 1 - np.maximum(0.0, 2 * (n * squares - total**2)) / (n * (n - 1))

    rows = distinct_rows(np.column_stack([disagreement, moments]), multiplicities)
    return UnitSums(f"krippendorff-alpha-{DistanceMetric.INTERVAL}", *rows, shares, _total(multiplicities))


def _total(multiplicities: Floats) -> int:
    return round(float(multiplicities.sum()))


def _ordinal_sums(counts: Floats, multiplicities: Floats) -> UnitSums:
    """Return the sums for ordered labels: the coincidences themselves, since the distances depend on the totals.

    A unit with m labels has at most m² coincidences, of all pairs of labels that there are.
    """
    labels = counts.shape[1]
    units, places = np.nonzero(counts)
    different = np.bincount(units, minlength=len(counts))
    first = np.repeat(np.arange(len(units)), different[units])
    starts = np.cumsum(different) - different
    block_starts = np.cumsum(different[units]) - different[units]
    second = starts[units[first]] + np.arange(len(first)) - block_starts[first]
    present = counts[units, places]
    coincidences = present[first] * (present[second] - (first == second)) / (counts.sum(axis=1) - 1)[units[first]]
    columns = SparseColumns(
        rows=np.concatenate([units[first], units]),
        columns=np.concatenate([places[first] * labels + places[second], labels * labels + places]),
        values=np.concatenate([coincidences, present]),
        shape=(len(counts), labels * labels + labels),
    )
    name = f"krippendorff-alpha-{DistanceMetric.ORDINAL}"
    return UnitSums(name, columns, multiplicities, _ordinal_shares(labels), _total(multiplicities))


def _ordinal_shares(labels: int) -> Shares:
    def shares(sums: Floats) -> tuple[Floats, Floats]:
        coincidences = sums[:, : labels * labels].reshape(-1, labels, labels)
        totals = sums[:, labels * labels :]
        middles = np.cumsum(totals, axis=1) - totals / 2
        distances = (middles[:, :, None] - middles[:, None, :]) ** 2
        largest = distances.max(axis=(1, 2), initial=0.0, keepdims=True)
        distances /= np.where(largest > 0, largest, 1.0)
        n = totals.sum(axis=1)
        chance = totals[:, :, None] * totals[:, None, :]
        observed = (coincidences * distances).sum(axis=(1, 2)) / n
        return 1 - observed, 1 - (chance * distances).sum(axis=(1, 2)) / (n * (n - 1))

    return shares


def _ratio_distances(numbers: Floats) -> Floats:
    if numbers.size and numbers.min() < 0:
        raise ValueError("A label is below 0, which a ratio cannot take; use the interval metric.")
    sums = np.add.outer(numbers, numbers)
    distances: Floats = (np.subtract.outer(numbers, numbers) / np.where(sums == 0, 1.0, sums)) ** 2
    return distances
