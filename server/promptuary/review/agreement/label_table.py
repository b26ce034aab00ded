"""The labels of one field as numbers of its different values, so that figures are computed by arrays. Loads numpy."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from promptuary.review.agreement.label import LabelDefinition, Level, comparable
from promptuary.review.agreement.labelled_item import LabelledItem, list_reviewers
from promptuary.statistics.reliability.ratings import Codes
from promptuary.statistics.reliability.spans import Span, span_alpha_sums
from promptuary.statistics.reliability.unit_sums import UnitSums
from promptuary.statistics.sample import Floats


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The labels of one field: one row a reviewer, one column an item.

    Attributes:
        label: the primary decision or a field.
        items: those of the columns.
        reviewers: those of the rows, by identity.
        values: the different values; the options in their order where the label has values of which each is the same or not.
        codes: the place of each label among the values, shape (reviewers, items); -1 for a missing one.
        gold: the same of the known labels, shape (items,).
        omitted: how many labels are left out, because the label does not know their value.
    """

    label: LabelDefinition
    items: Sequence[LabelledItem]
    reviewers: Sequence[str]
    values: Sequence[Any]
    codes: Codes
    gold: Codes
    omitted: int

    @classmethod
    def of(cls, label: LabelDefinition, items: Sequence[LabelledItem]) -> "LabelTable":
        """Number the labels; each reviewer has each item once."""
        reviewers = list_reviewers(items)
        places = {reviewer: place for place, reviewer in enumerate(reviewers)}
        numbering = _Numbering(label)
        codes = np.full((len(reviewers), len(items)), -1, dtype=np.intp)
        omitted = 0
        for column, item in enumerate(items):
            for review in item.reviews:
                value = review.value_of(label.name)
                if value is None:
                    continue
                code = numbering.code(value)
                codes[places[review.reviewer], column] = code
                omitted += code < 0
        gold = [-1 if (value := item.gold.get(label.name)) is None else numbering.code(value) for item in items]
        return cls(label, items, reviewers, numbering.values, codes, np.array(gold, dtype=np.intp), omitted)

    @cached_property
    def sets(self) -> list[frozenset[str]]:
        """The values of a label with several options, as sets."""
        return [frozenset(value) for value in self.values]

    @cached_property
    def numbers(self) -> Floats:
        """The values of a numeric label, and NaN in the last place, which is that of a missing one."""
        return np.array([*self.values, np.nan], dtype=np.float64)

    @cached_property
    def spans(self) -> list[list[Span]]:
        """The values of a label that marks parts of the output, as spans."""
        return [[_span(part) for part in value] for value in self.values]

    def span_sums(self, codes: Codes, lengths: Sequence[int]) -> UnitSums:
        """Return the sums of alpha over characters of these rows; a text is as long as its spans at least."""
        ends = np.array([*(max((span.end for span in spans), default=0) for spans in self.spans), 0], dtype=np.intp)
        texts = np.maximum(np.array(lengths, dtype=np.intp), ends[codes].max(axis=0, initial=0))
        marked = [*self.spans, None]
        return span_alpha_sums(texts.tolist(), [[marked[code] for code in row] for row in codes.tolist()])


class _Numbering:
    """Numbers the different values of a label in the order in which they occur, after the options that it has."""

    def __init__(self, label: LabelDefinition) -> None:
        self._label = label
        self._codes: dict[Hashable, int] = {}
        self.values: list[Any] = []
        if label.level in (Level.NOMINAL, Level.ORDINAL):
            for option in label.options or ():
                self.code(option)

    def code(self, value: Any) -> int:
        """Return the number of a value; -1 for one that the label does not accept."""
        key = (value.__class__, comparable(value))  # True equals 1, and is no number
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = self._new_code(value)
        return code

    def _new_code(self, value: Any) -> int:
        if not self._label.accepts(value):
            return -1
        if isinstance(value, float) and value.is_integer():
            return self.code(int(value))
        self.values.append(value)
        return len(self.values) - 1


def _span(part: Mapping[str, Any]) -> Span:
    return Span(part["start"], part["end"], str(part.get("label") or ""))
