"""Pydantic's validation errors as field errors with plain messages: no class names, no union branches, no input values."""

import re
from collections.abc import Sequence
from itertools import groupby

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from promptuary.prompt.errors import FieldError

MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


_SCALAR = re.compile(r"(constrained-)?(bool|int|float|str)")
"""What pydantic puts behind the path of a field that may have values of several types, one for each."""


def field_errors_from(error: ValidationError, prefix: str = "") -> list[FieldError]:
    """Return the field errors of a failed validation.

    Args:
        error: pydantic's error. Tags of union branches (`<chat>`) are left out of the paths.
        prefix: put before each path.
    """
    located = join_type_errors(error.errors(include_url=False))
    return [
        FieldError(
            ".".join(filter(None, [prefix, *(str(part) for part in path if not str(part).startswith("<"))])), _as_rest(message)
        )
        for path, message in located
    ]


def join_type_errors(details: Sequence[ErrorDetails]) -> list[tuple[tuple[int | str, ...], str]]:
    """Return each error's path and message; where a value may have several types, one error in place of one for each type."""
    located: list[tuple[tuple[int | str, ...], str]] = []
    for place, group in groupby(details, key=_place):
        errors = list(group)
        if len({error["type"] for error in errors}) > 1:
            first, *others = dict.fromkeys(_message(error) for error in errors)
            located.append((place[0], " or ".join([first, *(other.removeprefix("must be ") for other in others)])))
        else:
            located += [(tuple(error["loc"]), _message(error)) for error in errors]
    return located


def _place(detail: ErrorDetails) -> tuple[tuple[int | str, ...], int]:
    """Return the field of an error, and the identity of its value: the errors of one value's types belong together."""
    location = tuple(detail["loc"])
    is_type = len(location) > 1 and isinstance(location[-1], str) and _SCALAR.fullmatch(location[-1]) is not None
    return (location[:-1], id(detail.get("input"))) if is_type else (location, 0)


def _as_rest(message: str) -> str:
    return message.replace("Input should", "should")


def _message(detail: ErrorDetails) -> str:
    return MESSAGES.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
