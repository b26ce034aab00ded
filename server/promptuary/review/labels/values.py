"""The check of what a reviewer entered against the label schema: every error at once, each with its field."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.core.errors import FieldError
from promptuary.review.queues.label_schema import PREFERENCES, FieldType, LabelField, LabelSchema

TEXT_LIMIT = 10_000
TAG_LIMIT = 50
TAG_LENGTH_LIMIT = 100
SPAN_LIMIT = 500

Errors = Iterator[tuple[str, str]]
"""The errors of a value: the path below it, empty for the value itself, and what is wrong."""


@dataclass(frozen=True)
class JudgedOutput:
    """What labels refer to: the number of code points of the output, None without a text output, and whether it is a pair."""

    length: int | None
    is_pair: bool = False


def label_errors(schema: LabelSchema, values: Mapping[str, Any], output: JudgedOutput) -> list[FieldError]:
    """Return every error of the values; none if they can be stored.

    Args:
        schema: the label schema in force.
        values: by the names of fields; `None`, an empty text and an empty list are the same as no value.
        output: what the labels refer to.
    """
    errors = [FieldError(f"labels.{name}", "is no field of this queue") for name in values if schema.field(name) is None]
    for field in schema.fields:
        value = values.get(field.name)
        if is_empty(value):
            if field.required:
                errors.append(FieldError(f"labels.{field.name}", "is required"))
            continue
        errors += value_errors(field, value, output)
    return errors


def value_errors(field: LabelField, value: Any, output: JudgedOutput) -> list[FieldError]:
    """Return every error of a value that is not empty."""
    return [FieldError(f"labels.{field.name}{path}", message) for path, message in _CHECKS[field.type](field, value, output)]


def judged_output(payload: Mapping[str, Any], *, is_pair: bool) -> JudgedOutput:
    """Return what labels of an item refer to."""
    output = payload.get("output")
    return JudgedOutput(len(output) if isinstance(output, str) and not is_pair else None, is_pair)


def is_empty(value: Any) -> bool:
    """Return whether a value is the same as none: None, an empty text, a text of spaces, or an empty list."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def filled_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without the empty ones."""
    return {name: value for name, value in values.items() if not is_empty(value)}


def _choice_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    if not isinstance(value, str) or value not in field.option_values:
        yield "", f"must be one of: {', '.join(field.option_values)}"


def _choices_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    if not isinstance(value, list):
        yield "", "must be a list of the field's options"
        return
    for place, option in enumerate(value):
        if not isinstance(option, str) or option not in field.option_values:
            yield f".{place}", f"must be one of: {', '.join(field.option_values)}"
        elif option in value[:place]:
            yield f".{place}", "occurs twice"
    yield from _count_errors(field, len(value), "options")


def _ordinal_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    values = field.ordered_values
    if isinstance(value, bool) or not isinstance(value, str | int) or value not in values:
        yield "", f"must be one of: {', '.join(map(str, values))}"


def _number_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        yield "", "must be a number"
        return
    if field.minimum is not None and value < field.minimum:
        yield "", f"must be at least {field.minimum}"
    if field.maximum is not None and value > field.maximum:
        yield "", f"must be at most {field.maximum}"


def _text_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    if not isinstance(value, str):
        yield "", "must be a text"
        return
    if len(value) > TEXT_LIMIT:
        yield "", f"must have at most {TEXT_LIMIT} characters"
    yield from _count_errors(field, len(value), "characters")


def _tags_errors(field: LabelField, value: Any, _output: JudgedOutput) -> Errors:
    if not isinstance(value, list):
        yield "", "must be a list of words"
        return
    for place, tag in enumerate(value):
        if not isinstance(tag, str) or not tag.strip() or len(tag) > TAG_LENGTH_LIMIT:
            yield f".{place}", f"must be a text of 1 to {TAG_LENGTH_LIMIT} characters"
        elif tag in value[:place]:
            yield f".{place}", "occurs twice"
    if len(value) > TAG_LIMIT:
        yield "", f"must have at most {TAG_LIMIT} tags"
    yield from _count_errors(field, len(value), "tags")


def _spans_errors(field: LabelField, value: Any, output: JudgedOutput) -> Errors:
    if not isinstance(value, list):
        yield "", "must be a list of spans, each with `start` and `end`"
        return
    if output.length is None:
        yield "", "the item has no text output whose parts could be marked"
        return
    if len(value) > SPAN_LIMIT:
        yield "", f"must have at most {SPAN_LIMIT} spans"
        return
    for place, span in enumerate(value):
        error = _span_error(field, span, output.length)
        if error is None and span in value[:place]:
            error = "occurs twice"
        if error is not None:
            yield f".{place}", error
    yield from _count_errors(field, len(value), "spans")


def _span_error(field: LabelField, span: Any, length: int) -> str | None:
    """Return what is wrong with a span: a half-open range of code points of the output, `[start, end)`."""
    if not isinstance(span, dict) or not span.keys() <= {"start", "end", "label"}:
        return "must be an object with `start` and `end`, and `label` where the field has options"
    start: Any = span.get("start")
    end: Any = span.get("end")
    if not _is_whole(start) or not _is_whole(end):
        return "`start` and `end` must be whole numbers, which count characters (code points) from 0"
    if not 0 <= start < end:
        return "`start` must be 0 or more, and `end` above it"
    if end > length:
        return f"ends at {end}; the output has {length} characters"
    options = field.option_values
    if options and span.get("label") not in options:
        return f"`label` must be one of: {', '.join(options)}"
    return "has a label, and the field has no options" if not options and "label" in span else None


def _preference_errors(_field: LabelField, value: Any, output: JudgedOutput) -> Errors:
    if not output.is_pair:
        yield "", "the item is no pair"
    elif value not in PREFERENCES:
        yield "", f"must be one of: {', '.join(PREFERENCES)}"


def _count_errors(field: LabelField, count: int, noun: str) -> Errors:
    if field.minimum is not None and count < field.minimum:
        yield "", f"must have at least {int(field.minimum)} {noun}"
    if field.maximum is not None and count > field.maximum:
        yield "", f"must have at most {int(field.maximum)} {noun}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Mapping[FieldType, Callable[[LabelField, Any, JudgedOutput], Errors]] = {
    FieldType.CHOICE: _choice_errors,
    FieldType.CHOICES: _choices_errors,
    FieldType.ORDINAL: _ordinal_errors,
    FieldType.NUMBER: _number_errors,
    FieldType.TEXT: _text_errors,
    FieldType.TAGS: _tags_errors,
    FieldType.SPANS: _spans_errors,
    FieldType.PREFERENCE: _preference_errors,
}
