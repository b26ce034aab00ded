"""Agreement on marked spans of texts: Krippendorff's alpha over characters, drawn by whole texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from promptuary.statistics.reliability.distinct_rows import distinct_rows
from promptuary.statistics.reliability.unit_sums import Shares, UnitSums
from promptuary.statistics.sample import Floats


@dataclass(frozen=True, order=True)
class Span:
    """A part of a text and its label: the characters from `start`, up to `end` exclusive."""

    start: int
    end: int
    label: str


MarkedText = Sequence[Span]
"""All spans that one observer marked in one text; empty where the observer marked nothing."""


def span_alpha_sums(lengths: Sequence[int], rows: Sequence[Sequence[MarkedText | None]]) -> UnitSums:
    """Return the sums of Krippendorff's nominal alpha over the characters of texts.

    A character's label is the set of the labels of the spans that cover it, or nothing. The characters of a text are not
    independent, so a unit of the interval is a text: `units` counts the texts with at least two observers. Source:
    Krippendorff, Content Analysis, 4th edition (2018), chapter 12, with the character as the unit of coding.

    Args:
        lengths: how many characters each text has.
        rows: one row an observer, one column a text; None where the observer did not mark the text.

    Raises:
        ValueError: rows of another length than `lengths`, or a span outside its text.
    """
    texts = [_marked_texts(length, text, rows) for text, length in enumerate(lengths)]
    paired = [(length, marks) for length, marks in zip(lengths, texts, strict=True) if len(marks) >= 2 and length > 0]
    places: dict[frozenset[str], int] = {}
    runs = [_runs(length, marks, places) for length, marks in paired]
    columns = np.zeros((len(paired), 1 + len(places)))
    for text, counted in enumerate(runs):
        for width, labels in counted:
            size = len(labels)
            columns[text, 0] += width * (size**2 - sum(map(labels.count, labels))) / (size - 1)
            for label in labels:
                columns[text, 1 + label] += width
    return UnitSums("krippendorff-alpha-characters", *distinct_rows(columns), _shares(), len(paired))


def _marked_texts(length: int, text: int, rows: Sequence[Sequence[MarkedText | None]]) -> list[MarkedText]:
    marks = [row[text] for row in rows]
    for spans in marks:
        for span in spans or ():
            if not 0 <= span.start < span.end <= length:
                raise ValueError(f"The span {span.start} to {span.end} lies outside its text of {length} characters.")
    return [spans for spans in marks if spans is not None]


def _runs(length: int, marks: Sequence[MarkedText], places: dict[frozenset[str], int]) -> list[tuple[int, list[int]]]:
    """Return the runs of characters that no span divides: their width, and each observer's label."""
    ends = sorted({0, length} | {end for spans in marks for span in spans for end in (span.start, span.end)})
    runs = []
    for start, end in pairwise(ends):
        labels = [frozenset(span.label for span in spans if span.start <= start and span.end >= end) for spans in marks]
        runs.append((end - start, [places.setdefault(label, len(places)) for label in labels]))
    return runs


def _shares() -> Shares:
    def shares(sums: Floats) -> tuple[Floats, Floats]:
        totals = sums[:, 1:]
        n = totals.sum(axis=1)
        return 1 - sums[:, 0] / n, 1 - (n**2 - (totals**2).sum(axis=1)) / (n * (n - 1))

    return shares
