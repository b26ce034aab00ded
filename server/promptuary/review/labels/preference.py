"""Preferences between the sides of a pair: reviewers send the side that they see, and the output itself is stored."""

from collections.abc import Mapping
from typing import Any

from promptuary.review.queues.label_schema import FieldType, LabelSchema

FIRST, SECOND, TIE = "first", "second", "tie"


def to_stored(schema: LabelSchema, values: Mapping[str, Any], swapped: bool | None) -> dict[str, Any]:
    """Return the values with each preference as the output that is preferred: `first`, `second` or `tie`."""
    names = {"left": SECOND, "right": FIRST} if swapped else {"left": FIRST, "right": SECOND}
    return _replaced(schema, values, names)


def to_shown(schema: LabelSchema, values: Mapping[str, Any], swapped: bool | None) -> dict[str, Any]:
    """Return stored values with each preference as the side on which the reviewer sees the output."""
    names = {SECOND: "left", FIRST: "right"} if swapped else {FIRST: "left", SECOND: "right"}
    return _replaced(schema, values, names)


def _replaced(schema: LabelSchema, values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    fields = {field.name for field in schema.fields if field.type is FieldType.PREFERENCE}
    return {name: names.get(value, value) if name in fields else value for name, value in values.items()}
