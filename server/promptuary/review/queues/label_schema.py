"""Label schemas: the fields that reviewers fill in beside the primary choice, with the rubric and its examples."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptuary.core.errors import FieldError, InvalidRequest

FIELD_LIMIT = 30
OPTION_LIMIT = 100
ORDINAL_LIMIT = 100
EXAMPLE_LIMIT = 50
RESERVED_NAMES = frozenset({"decision", "comment", "correction", "saved"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class FieldType(StrEnum):
    """What a field's value is."""

    CHOICE = "choice"  # one of the options
    CHOICES = "choices"  # any of the options
    ORDINAL = "ordinal"  # one of the options, which are in order, or a whole number of a range
    NUMBER = "number"  # a number, in the range where there is one
    TEXT = "text"  # free text
    TAGS = "tags"  # short words; the options are suggestions
    SPANS = "spans"  # parts of the output, each labelled with one of the options where there are any
    PREFERENCE = "preference"  # one side of a pair, or a tie


PREFERENCES = ("left", "right", "tie")
_WITH_OPTIONS = frozenset({FieldType.CHOICE, FieldType.CHOICES})
_WITHOUT_OPTIONS = frozenset({FieldType.NUMBER, FieldType.TEXT, FieldType.PREFERENCE})
_WITHOUT_RANGE = frozenset({FieldType.CHOICE, FieldType.PREFERENCE})
_COUNTED = frozenset({FieldType.CHOICES, FieldType.TEXT, FieldType.TAGS, FieldType.SPANS})


@dataclass(frozen=True)
class Option:
    """One value that a field may have, and its label."""

    value: str
    label: str


@dataclass(frozen=True)
class LabelField:
    """A field of a label schema.

    `minimum` and `maximum` limit a number or an ordinal without options by its value, a text by its number of characters, and
    `choices`, `tags` and `spans` by how many there are.
    """

    name: str
    type: FieldType
    title: str
    required: bool = False
    options: tuple[Option, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def option_values(self) -> tuple[str, ...]:
        """The values of the options; none where the field has no options."""
        return tuple(option.value for option in self.options or ())

    @property
    def ordered_values(self) -> tuple[str | int, ...]:
        """The values of an ordinal field, the lowest first."""
        if self.options:
            return self.option_values
        return tuple(range(int(self.minimum or 0), int(self.maximum or 0) + 1))


@dataclass(frozen=True)
class LabelSchema:
    """The fields of a queue, the rubric by which reviewers judge, and examples. `number` is 0 before it is stored.

    An example is `{input, output, decision, labels, note}`, each of which may be missing.
    """

    fields: tuple[LabelField, ...] = ()
    rubric: str = ""
    examples: tuple[dict[str, Any], ...] = ()
    number: int = 0

    def field(self, name: str) -> LabelField | None:
        """Return the field of a name, or None."""
        return next((field for field in self.fields if field.name == name), None)


def validate_schema(schema: LabelSchema) -> None:
    """Check that the fields of a schema can be filled in and distinguished.

    Raises:
        InvalidRequest: with every error.
    """
    errors = list(_schema_errors(schema))
    if errors:
        raise InvalidRequest("the label schema is not valid", errors)


def _schema_errors(schema: LabelSchema) -> Iterator[FieldError]:
    names: set[str] = set()
    for number, field in enumerate(schema.fields):
        path = f"schema.fields.{number}"
        if not _NAME.fullmatch(field.name):
            yield FieldError(f"{path}.name", "must be 1 to 64 of a-z, 0-9 and _, beginning with a letter")
        if field.name in RESERVED_NAMES:
            yield FieldError(f"{path}.name", "is reserved")
        if field.name in names:
            yield FieldError(f"{path}.name", "occurs twice")
        names.add(field.name)
        yield from _option_errors(field, path)
        yield from _range_errors(field, path)


def _option_errors(field: LabelField, path: str) -> Iterator[FieldError]:
    values = field.option_values
    if field.type in _WITH_OPTIONS and len(values) < 2:
        yield FieldError(f"{path}.options", "must be at least two")
    if field.type in _WITHOUT_OPTIONS and field.options is not None:
        yield FieldError(f"{path}.options", f"a field of the type '{field.type}' has none")
    if field.type is FieldType.ORDINAL and field.options is not None and len(values) < 2:
        yield FieldError(f"{path}.options", "must be at least two, the lowest first; or leave them out, and set the range")
    for place, value in enumerate(values):
        if value in values[:place]:
            yield FieldError(f"{path}.options.{place}", "occurs twice")


def _range_errors(field: LabelField, path: str) -> Iterator[FieldError]:
    low, high = field.minimum, field.maximum
    if (low is not None or high is not None) and (
        field.type in _WITHOUT_RANGE or (field.type is FieldType.ORDINAL and field.options is not None)
    ):
        yield FieldError(f"{path}.minimum", "this field has no range")
        return
    for name, limit in (("minimum", low), ("maximum", high)):
        if limit is not None and not math.isfinite(limit):
            yield FieldError(f"{path}.{name}", "must be a finite number")
            return
        if limit is not None and field.type in _COUNTED and (limit < 0 or limit != int(limit)):
            yield FieldError(f"{path}.{name}", "must be a whole number, 0 or more")
    if low is not None and high is not None and low > high:
        yield FieldError(f"{path}.maximum", "must not be below the minimum")
    if field.type is FieldType.ORDINAL and field.options is None:
        yield from _ordinal_errors(low, high, path)


def _ordinal_errors(low: float | None, high: float | None, path: str) -> Iterator[FieldError]:
    if low is None or high is None or low != int(low) or high != int(high):
        yield FieldError(f"{path}.options", "must be at least two; or set minimum and maximum to whole numbers")
    elif not 1 <= high - low < ORDINAL_LIMIT:
        yield FieldError(f"{path}.maximum", f"must be above the minimum, with at most {ORDINAL_LIMIT} values in the range")


def fields_to_json(fields: Sequence[LabelField]) -> list[dict[str, Any]]:
    """Return the fields as they are stored and sent; an option whose label is its value is the value alone."""
    stored = []
    for field in fields:
        options = None
        if field.options is not None:
            options = [o.value if o.label == o.value else {"value": o.value, "label": o.label} for o in field.options]
        stored.append(
            {
                "name": field.name,
                "type": field.type.value,
                "title": field.title,
                "required": field.required,
                "options": options,
                "minimum": field.minimum,
                "maximum": field.maximum,
            }
        )
    return stored


def fields_from_json(stored: Sequence[Any]) -> tuple[LabelField, ...]:
    """Return the fields of a stored schema."""
    fields = []
    for field in stored:
        options = field.get("options")
        parsed = None if options is None else tuple(parse_option(option) for option in options)
        fields.append(
            LabelField(
                name=field["name"],
                type=FieldType(field["type"]),
                title=field["title"],
                required=field["required"],
                options=parsed,
                minimum=field.get("minimum"),
                maximum=field.get("maximum"),
            )
        )
    return tuple(fields)


def parse_option(option: Any) -> Option:
    """Return an option that was sent or stored: a value, or `{value, label}`."""
    if isinstance(option, dict):
        return Option(option["value"], option.get("label") or option["value"])
    return Option(option, option)
