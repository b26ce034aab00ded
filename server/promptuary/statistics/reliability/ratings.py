"""Labels as counts: units by category for many observers, category by category for two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.reliability.distinct_rows import distinct_rows
from promptuary.statistics.sample import Floats

Label = str | int | float | bool
Codes = NDArray[np.intp]
"""The place of each observer's label of each unit among all labels, shape (observers, units); -1 for a missing one."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """The number of times that each unit got each label.

    Attributes:
        counts: shape (units, labels).
        numbers: the labels as numbers, shape (labels,); their positions where they are not numbers.
    """

    counts: Floats
    numbers: Floats

    @classmethod
    def of(
        cls,
        rows: Sequence[Sequence[Label | None]],
        categories: Sequence[Label] | None,
        *,
        ordered: bool,
        numbers: bool,
    ) -> "Ratings":
        """Count labels; `label_order` decides which labels there are.

        Raises:
            ValueError: no row, rows of different length, or labels that cannot be ordered or are not numbers where needed.
        """
        if not rows:
            raise ValueError("There is no observer; give one row of labels an observer.")
        units = len(rows[0])
        for place, row in enumerate(rows):
            if len(row) != units:
                raise ValueError(
                    f"The observer at position {place} has {len(row)} labels and the first {units}; "
                    "give one a unit, None where it is missing."
                )
        labels = label_order([label for row in rows for label in row if label is not None], categories, ordered=ordered)
        places = {label: place for place, label in enumerate(labels)}
        counts = np.zeros((units, len(labels)))
        for row in rows:
            for unit, label in enumerate(row):
                if label is not None:
                    counts[unit, places[label]] += 1
        return cls(counts, _numbers(labels) if numbers else np.arange(len(labels), dtype=np.float64))


@dataclass(frozen=True, eq=False)
class ContingencyTable:
    """The number of units for each pair of labels of two observers.

    Attributes:
        counts: shape (labels, labels), the first observer in rows.
    """

    counts: Floats

    @classmethod
    def of(
        cls,
        first: Sequence[Label | None],
        second: Sequence[Label | None],
        categories: Sequence[Label] | None,
        *,
        ordered: bool,
    ) -> "ContingencyTable":
        """Count the units that both observers labelled.

        Raises:
            ValueError: sides of different length, or labels that cannot be ordered where needed.
        """
        if len(first) != len(second):
            raise ValueError(
                f"The first observer has {len(first)} labels and the second {len(second)}; give one a unit, None where missing."
            )
        present = [label for side in (first, second) for label in side if label is not None]
        labels = label_order(present, categories, ordered=ordered)
        places = {label: place for place, label in enumerate(labels)}
        counts = np.zeros((len(labels), len(labels)))
        for first_label, second_label in zip(first, second, strict=True):
            if first_label is not None and second_label is not None:
                counts[places[first_label], places[second_label]] += 1
        return cls(counts)

    @staticmethod
    def checked(counts: Sequence[Sequence[float]] | Floats) -> Floats:
        """Return the table as an array; raise ValueError unless it is square and its counts are finite and 0 or more."""
        cells = np.asarray(counts, dtype=np.float64)
        if cells.size == 0:
            return np.zeros((0, 0))
        if cells.ndim != 2 or cells.shape[0] != cells.shape[1]:
            raise ValueError(f"The table has the shape {cells.shape}; give one row and one column a category.")
        if not np.all(np.isfinite(cells)) or cells.min() < 0:
            raise ValueError("A count of the table is negative or not finite; count units.")
        return cells


def count_labels(codes: Codes, labels: int) -> tuple[Floats, Floats]:
    """Count the labels of each unit, units with the same labels once.

    Returns:
        How often each distinct unit got each label, shape (distinct units, labels), and how many units it is, shape
        (distinct units,).
    """
    units, multiplicities = distinct_rows(np.sort(codes, axis=0).T.astype(np.float64))
    counts = np.zeros((len(units), labels))
    for places in units.astype(np.intp).T:
        present = np.flatnonzero(places >= 0)
        counts[present, places[present]] += 1
    return counts, multiplicities


def count_cells(first: Codes, second: Codes, labels: int) -> Floats:
    """Count the units for each pair of labels of two observers, who both labelled each; shape (labels, labels)."""
    return np.bincount(first * labels + second, minlength=labels * labels).reshape(labels, labels).astype(np.float64)


def used_labels(codes: Codes) -> Codes:
    """Return the labels that occur, in the order in which the first observer, then the second one … used them."""
    used, first = np.unique(codes, return_index=True)
    present = used >= 0
    return used[present][np.argsort(first[present])]


def renumbered(codes: Codes, used: Codes) -> Codes:
    """Return the place of each label among those that are used; each label must be."""
    places = np.full(int(codes.max(initial=-1)) + 2, -1, dtype=np.intp)  # the last one is that of a missing label
    places[used] = np.arange(len(used))
    return places[codes]


def label_order(present: Sequence[Label], categories: Sequence[Label] | None, *, ordered: bool) -> list[Label]:
    """Return all labels: `categories` unchanged, or the labels that are present, sorted where an order is needed.

    Raises:
        ValueError: a label that is NaN or outside `categories`, a category named twice, or texts mixed with numbers where an
            order is needed.
    """
    distinct = list(dict.fromkeys(present))
    if any(label != label for label in distinct):
        raise ValueError("A label is NaN; give None where a label is missing.")
    if categories is not None:
        if len(set(categories)) != len(categories):
            raise ValueError("A category is named twice; give each category once.")
        unknown = [label for label in distinct if label not in set(categories)]
        if unknown:
            raise ValueError(f"The label {unknown[0]!r} is not one of the categories; add it, or correct the label.")
        return list(categories)
    if not ordered:
        return distinct
    if not (all(isinstance(label, str) for label in distinct) or not any(isinstance(label, str) for label in distinct)):
        raise ValueError("Texts and numbers are mixed and have no common order; give the `categories` in their order.")
    values: list[Any] = list(distinct)
    return sorted(values)


def _numbers(labels: Sequence[Label]) -> Floats:
    """Return the labels as finite numbers; raise ValueError for any other label."""
    for label in labels:
        if isinstance(label, str):
            raise ValueError(f"The label {label!r} is not a number; use the nominal or ordinal metric.")
    numbers = np.asarray(labels, dtype=np.float64)
    if not np.all(np.isfinite(numbers)):
        raise ValueError("A label is not a finite number; use the nominal or ordinal metric.")
    return numbers
