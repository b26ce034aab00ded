"""The values that templates read, and how every format shows them."""

import json
from typing import Any


class Undefined:
    """The value of a name that has none: false, and shown as an empty text."""

    def __bool__(self) -> bool:
        """Return false."""
        return False

    def __repr__(self) -> str:
        """Return its name."""
        return "UNDEFINED"


UNDEFINED = Undefined()


class TypeMismatch(Exception):
    """A value has a type on which an expression does not work. The message never repeats the value."""


def to_text(value: Any) -> str:
    """Return a value as a prompt shows it: a text as it is, nothing for null, else JSON (`true`, `1.21`, `{"a": 1}`)."""
    if isinstance(value, str):
        return value
    return "" if value is None or value is UNDEFINED else json.dumps(value, ensure_ascii=False)


def is_number(value: Any) -> bool:
    """Return whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
