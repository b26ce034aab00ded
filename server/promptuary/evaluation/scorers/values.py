"""The shapes of value that several families of scorers take, each parsed and checked once."""

from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.scorer_type import ScorerValue
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value, split_list
from promptuary.prompt.errors import Invalid


@dataclass(frozen=True)
class TemplateValue(ScorerValue):
    """Any JSON value, whose strings are templates of the case."""

    template: ValueTemplate

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Check the value, then parse its templates."""
        cls.check(value)
        return cls(parse_value(value))

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that there is a value.

        Raises:
            Invalid: where there is none.
        """
        if value is None:
            raise Invalid("is required")


class TextValue(TemplateValue):
    """A text that is not empty, or a number that stands for its text."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the value is a text or a number."""
        if value in (None, ""):
            raise Invalid("is required and must not be empty")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Invalid("must be a string or a number")


class TextListValue(TemplateValue):
    """One text or several: a list, or a comma-separated text."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the value names at least one text."""
        if not isinstance(value, list):
            TextValue.check(value)
            if isinstance(value, str) and parse_value(value).constant and not split_list(value):
                raise Invalid("must name at least one text")
            return
        if not value:
            raise Invalid("must not be an empty list")
        for item in value:
            TextValue.parse(item)


class CaseTextListValue(TextListValue):
    """As `TextListValue`, for a case, where a list may be empty: no output contains any of its texts."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the value names texts."""
        if value != []:
            super().check(value)


class ReferenceValue(TemplateValue):
    """A reference text, which may be empty."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the value is a string."""
        if not isinstance(value, str):
            raise Invalid("is required and must be a string")


class RubricValue(TemplateValue):
    """A rubric for a judge: a text, or JSON."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that the rubric is not empty."""
        if not value or not isinstance(value, str | dict | list):
            raise Invalid("is required: the rubric that the judge is to apply")


class CountValue(TemplateValue):
    """A whole number, or an object of `min` and `max`; each may be a template."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check the number, or both bounds and their order."""
        if isinstance(value, dict):
            low, high = value.get("min"), value.get("max")
            bounds = [bound for bound in (low, high) if bound is not None]
            if not bounds or value.keys() - {"min", "max"} or not all(_may_be_count(bound) for bound in bounds):
                raise Invalid("must have min, max or both, as whole numbers")
            if isinstance(low, int) and isinstance(high, int) and low > high:
                raise Invalid("has a min above its max")
        elif not _may_be_count(value):
            raise Invalid("must be a whole number, or an object of min and max")


def is_count(value: object) -> bool:
    """Return whether a value is a whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _may_be_count(value: JsonValue) -> bool:
    """Return whether a value is a count, or may be one once its template is filled."""
    if isinstance(value, str):
        return not parse_value(value).constant or (value.isascii() and value.strip().isdigit())
    return is_count(value)
