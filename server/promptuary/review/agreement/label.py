"""The labels of a queue for the figures: the primary decision and each field, with its level of measurement."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptuary.review.labels.preference import FIRST, SECOND, TIE
from promptuary.review.queues.label_schema import FieldType, LabelField

PRIMARY = "decision"
"""The name of the primary decision among the labels."""


class Level(StrEnum):
    """A label's level of measurement, which decides what a coefficient counts as disagreement."""

    NOMINAL = "nominal"  # values are the same or not
    ORDINAL = "ordinal"  # values have an order
    INTERVAL = "interval"  # values are numbers, and their difference counts
    SETS = "sets"  # values are sets of options, which may overlap
    CHARACTERS = "characters"  # values are marked parts of the output
    NONE = "none"  # values are free text, for which there is no coefficient


LEVELS = {
    FieldType.CHOICE: Level.NOMINAL,
    FieldType.PREFERENCE: Level.NOMINAL,
    FieldType.ORDINAL: Level.ORDINAL,
    FieldType.NUMBER: Level.INTERVAL,
    FieldType.CHOICES: Level.SETS,
    FieldType.TAGS: Level.SETS,
    FieldType.SPANS: Level.CHARACTERS,
    FieldType.TEXT: Level.NONE,
}
"""The level of each type of field."""
OptionValue = str | int


@dataclass(frozen=True)
class LabelDefinition:
    """A label that reviewers give to an item.

    Attributes:
        name: the field's name; `decision` for the primary one.
        title: what reviewers read.
        type: the field's type; `choice` for the primary decision.
        options: what may be chosen, in order; None where there is no list.
    """

    name: str
    title: str
    type: FieldType
    options: tuple[OptionValue, ...] | None = None

    @classmethod
    def of_field(cls, field: LabelField) -> "LabelDefinition":
        """Return the label that a field of a schema is; what is suggested for tags does not limit them."""
        options: tuple[OptionValue, ...] | None = None
        if field.type in (FieldType.CHOICE, FieldType.CHOICES):
            options = field.option_values
        elif field.type is FieldType.ORDINAL:
            options = field.ordered_values
        elif field.type is FieldType.PREFERENCE:
            options = (FIRST, TIE, SECOND)
        return cls(field.name, field.title, field.type, options)

    @property
    def level(self) -> Level:
        """The level of measurement."""
        return LEVELS[self.type]

    @property
    def may_be_empty(self) -> bool:
        """Whether a label that is not filled in means something: no option, no tag, nothing marked."""
        return self.level in (Level.SETS, Level.CHARACTERS)

    def accepts(self, value: Any) -> bool:
        """Return whether a stored value is one of this label: labels of an earlier schema may not be."""
        if self.level is Level.INTERVAL:
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if self.level is Level.CHARACTERS:
            return isinstance(value, list) and all(_is_span(part) for part in value)
        if self.level is Level.SETS:
            return isinstance(value, list) and all(isinstance(part, str) and self._knows(part) for part in value)
        return isinstance(value, str | int) and not isinstance(value, bool) and self._knows(value)

    def _knows(self, value: OptionValue) -> bool:
        return self.options is None or value in self.options


def _is_span(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    start, end = part.get("start"), part.get("end")
    return isinstance(start, int) and isinstance(end, int) and 0 <= start < end


def comparable(value: Any) -> Hashable:
    """Return a value that is equal where two labels are: the order of tags and of spans does not count, 1 and 1.0 are equal."""
    if isinstance(value, list):
        return frozenset(comparable(part) for part in value)
    if isinstance(value, dict):
        return frozenset((key, comparable(part)) for key, part in value.items())
    return value  # type: ignore[no-any-return]  # what is left of JSON is hashable
