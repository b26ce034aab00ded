"""The values that templates see, and how they are shown: alike in every format."""

import json
from typing import Any


class Undefined:
    """What is not there: false, empty, shown as nothing."""

    def __bool__(self) -> bool:
        """Give false."""
        return False

    def __repr__(self) -> str:
        """Name it."""
        return "UNDEFINED"


UNDEFINED = Undefined()


class TypeMismatch(Exception):
    """A value is not of a kind that the template's expression works on. The words never repeat the value."""


def to_text(value: Any) -> str:
    """Give a value as a prompt shows it: text as it is, nothing for null, JSON for the rest (`true`, `1.21`, `{"a": 1}`)."""
    if isinstance(value, str):
        return value
    return "" if value is None or value is UNDEFINED else json.dumps(value, ensure_ascii=False)


def is_number(value: Any) -> bool:
    """Tell numbers from all else; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
