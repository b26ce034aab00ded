"""Krippendorff's alpha as sums over units, for each meaning of the distance between two labels."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from promptuary.statistics.reliability.unit_sums import Shares, UnitSums
from promptuary.statistics.sample import Floats


class DistanceMetric(StrEnum):
    """What a distance between two labels means for Krippendorff's alpha."""

    NOMINAL = "nominal"  # labels are the same or not
    ORDINAL = "ordinal"  # labels have an order, and the number of labels given between two is their distance
    INTERVAL = "interval"  # labels are numbers, and their difference is their distance
    RATIO = "ratio"  # labels are numbers of 0 or more, and their difference counts relative to their sum


NUMERIC = (DistanceMetric.INTERVAL, DistanceMetric.RATIO)


def alpha_sums(counts: Floats, metric: DistanceMetric, numbers: Floats) -> UnitSums:
    """Return alpha's sums over units: α = 1 - D_o/D_e over the coincidences of labels within units.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections C and D.

    Args:
        counts: how often each unit got each label, shape (units, labels).
        metric: what a distance between labels means.
        numbers: the labels as numbers, shape (labels,), for the interval and ratio metrics.

    Raises:
        ValueError: a number below 0 with the ratio metric.
    """
    paired = counts[counts.sum(axis=1) >= 2]
    if metric is DistanceMetric.ORDINAL:
        return _ordinal_sums(paired)
    if metric is DistanceMetric.INTERVAL:
        return _interval_sums(paired, numbers)
    distances = 1.0 - np.eye(counts.shape[1]) if metric is DistanceMetric.NOMINAL else _ratio_distances(numbers)
    return fixed_distance_sums(f"krippendorff-alpha-{metric}", paired, distances)


def fixed_distance_sums(coefficient: str, counts: Floats, distances: Floats) -> UnitSums:
    """Return alpha's sums for distances that do not depend on how often each label occurs.

    Args:
        coefficient: the name of the result.
        counts: how often each unit with at least two labels got each label, shape (units, labels).
        distances: shape (labels, labels), 0 on the diagonal.
    """
    largest = float(distances.max(initial=0.0))
    scaled = distances / largest if largest > 0 else distances
    disagreement = ((counts @ scaled) * counts).sum(axis=1) / (counts.sum(axis=1) - 1)

    def shares(sums: Floats) -> tuple[Floats, Floats]:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        return 1 - sums[:, 0] / n, 1 - ((totals @ scaled) * totals).sum(axis=1) / (n * (n - 1))

    return UnitSums.of(coefficient, np.column_stack([disagreement, counts]), len(counts), shares)


def number_alpha_sums(units: Sequence[Sequence[float]]) -> UnitSums:
    """Return alpha's sums for differences of numbers, by moments: no matrix of all distinct numbers is needed.

    Args:
        units: the finite numbers that each unit got; units with fewer than two are left out.
    """
    paired = [values for values in units if len(values) >= 2]
    present = np.array([value for values in paired for value in values], dtype=np.float64)
    centre, spread = _centre_and_spread(present)
    ends = np.cumsum([len(values) for values in paired], dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    scaled = (present - centre) / spread
    if not len(paired):
        return _moment_sums(np.zeros(0), np.zeros(0), np.zeros(0))
    return _moment_sums((ends - starts).astype(np.float64), np.add.reduceat(scaled, starts), np.add.reduceat(scaled**2, starts))


def _interval_sums(counts: Floats, numbers: Floats) -> UnitSums:
    centre, spread = _centre_and_spread(numbers[counts.sum(axis=0) > 0] if len(counts) else numbers[:0])
    scaled = (numbers - centre) / spread
    return _moment_sums(counts.sum(axis=1), counts @ scaled, counts @ scaled**2)


def _centre_and_spread(numbers: Floats) -> tuple[float, float]:
    """Return what makes the largest difference 1, and keeps squares exact."""
    return (float(numbers.mean()), float(numbers.max() - numbers.min()) or 1.0) if numbers.size else (0.0, 1.0)


def _moment_sums(sizes: Floats, first: Floats, second: Floats) -> UnitSums:
    disagreement = np.maximum(0.0, 2 * (sizes * second - first**2) / (sizes - 1))

    def shares(sums: Floats) -> tuple[Floats, Floats]:
        observed, n, total, squares = sums.T
        return 1 - observed / n, 1 - np.maximum(0.0, 2 * (n * squares - total**2)) / (n * (n - 1))

    columns = np.column_stack([disagreement, sizes, first, second])
    return UnitSums.of(f"krippendorff-alpha-{DistanceMetric.INTERVAL}", columns, len(sizes), shares)


def _ordinal_sums(counts: Floats) -> UnitSums:
    """Return the sums for ordered labels: the coincidences themselves, since the distances depend on the totals."""
    labels, pairable = counts.shape[1], len(counts)
    multiplicities = np.zeros(0)
    if pairable:
        counts, repeated = np.unique(counts, axis=0, return_counts=True)
        multiplicities = repeated.astype(np.float64)
    sizes = counts.sum(axis=1)
    coincidences = counts[:, :, None] * counts[:, None, :]
    places = np.arange(labels)
    coincidences[:, places, places] -= counts
    coincidences /= (sizes - 1)[:, None, None]
    return UnitSums(
        f"krippendorff-alpha-{DistanceMetric.ORDINAL}",
        np.column_stack([coincidences.reshape(len(counts), labels * labels), counts]),
        multiplicities,
        _ordinal_shares(labels),
        pairable,
    )


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
