"""The labels of a queue for the figures: the primary decision and each field, with its level of measurement."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    "choice": Level.NOMINAL,
    "preference": Level.NOMINAL,
    "ordinal": Level.ORDINAL,
    "number": Level.INTERVAL,
    "choices": Level.SETS,
    "tags": Level.SETS,
    "spans": Level.CHARACTERS,
    "text": Level.NONE,
}
"""The level of each type of field."""


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
    type: str
    options: tuple[str, ...] | None = None

    @property
    def level(self) -> Level:
        """The level of measurement."""
        return LEVELS[self.type]

    def accepts(self, value: Any) -> bool:
        """Return whether a stored value is one of this label: labels of an earlier schema may not be."""
        if self.level is Level.INTERVAL:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if self.level in (Level.SETS, Level.CHARACTERS):
            parts = value if isinstance(value, list) else None
            return parts is not None and (self.level is Level.CHARACTERS or self._all_known(parts))
        return isinstance(value, str) and self._all_known([value])

    def _all_known(self, values: Collection[Any]) -> bool:
        return all(isinstance(value, str) and (self.options is None or value in self.options) for value in values)


def comparable(value: Any) -> Hashable:
    """Return a value that is equal where two labels are: the order of tags and of spans does not count, 1 and 1.0 are equal."""
    if isinstance(value, list):
        return frozenset(comparable(part) for part in value)
    if isinstance(value, dict):
        return frozenset((key, comparable(part)) for key, part in value.items())
    return value  # type: ignore[no-any-return]  # what is left of JSON is hashable
