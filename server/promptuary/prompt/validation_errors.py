"""Pydantic's validation errors as field errors with plain messages: no class names, no union branches, no input values."""

from pydantic import ValidationError

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


def field_errors_from(error: ValidationError, prefix: str = "") -> list[FieldError]:
    """Return the field errors of a failed validation.

    Args:
        error: pydantic's error. Tags of union branches (`<chat>`) are left out of the paths.
        prefix: put before each path.
    """
    field_errors = []
    for detail in error.errors(include_url=False, include_input=False):
        parts = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
        message = MESSAGES.get(detail["type"]) or detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
        field_errors.append(FieldError(".".join(filter(None, [prefix, *parts])), message))
    return field_errors
