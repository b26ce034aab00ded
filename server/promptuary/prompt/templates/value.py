"""The values that templates read, and how every format shows them."""

import json
from collections.abc import Mapping
from typing import Any


class Undefined:
    """The value of a name that has none: false, and shown as an empty text, or as an error that names the reason.

    Attributes:
        reason: why a text cannot be made from it; None where the text is empty.
        name: the variable that it is about, as far as it is known.
    """

    def __init__(self, reason: str | None = None, name: str | None = None) -> None:
        """Keep the reason and the name."""
        self.reason = reason
        self.name = name

    def __bool__(self) -> bool:
        """Return false."""
        return False

    def __repr__(self) -> str:
        """Return its name."""
        return "UNDEFINED"


UNDEFINED = Undefined()


class JsonText(str):
    """A text that is JSON: it is a value of a JSON text as it is, where any other text is quoted."""

    __slots__ = ()


class DeclaredObject(dict[str, Any]):
    """An object of which some members may be missing; such a member is shown as nothing.

    Attributes:
        optional: the names of those members; None where it is every name, as in the metadata of a passage.
    """

    def __init__(self, members: Mapping[str, Any], optional: frozenset[str] | None) -> None:
        """Keep the members and the names of those that may be missing."""
        super().__init__(members)
        self.optional = optional


def may_lack(value: Any, name: str) -> bool:
    """Return whether a value is an object of which the member may be missing."""
    return isinstance(value, DeclaredObject) and (value.optional is None or name in value.optional)


class TypeMismatch(Exception):
    """A value has a type on which an expression does not work. The message never repeats the value.

    Attributes:
        name: the variable that it is about, where it is not the first of the expression.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        """Keep the message and the name."""
        super().__init__(message)
        self.name = name


def to_text(value: Any) -> str:
    """Return a value as a prompt shows it: a text as it is, nothing for null, else JSON (`true`, `1.21`, `{"a": 1}`).

    Raises:
        TypeMismatch: there is no value, and that is an error.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        if value.reason is not None:
            raise TypeMismatch(value.reason, value.name)
        return ""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def describe_type(value: Any) -> str:
    """Return what a JSON value is, without any part of it: "a text", "a list of 3"."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, str):
        return "a text"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else "a number"


def is_number(value: Any) -> bool:
    """Return whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
