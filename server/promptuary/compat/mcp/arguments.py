"""The arguments of a prompt over the Model Context Protocol, where every value is a text: described, converted, completed."""

import json
from collections.abc import Mapping
from typing import Any

from promptuary.core.wire import parse_strict_json
from promptuary.prompt.errors import FieldError, InvalidVariables, PromptuaryError
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.text_values import enum_text, enum_value, json_form
from promptuary.prompt.variables import Variable

COMPLETIONS_LIMIT = 100
"""The most completions of one response, by the protocol."""
_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
}


def describe_argument(prepared: PreparedPrompt, name: str) -> dict[str, Any]:
    """Return the protocol's description of a variable: its name, what to write, and whether it must be sent."""
    variable = prepared.variables[name]
    facts = "; ".join(filter(None, [_form(prepared, name), *_bounds(variable), _default(variable)]))
    description = variable.description or ""
    if facts:
        description = f"{description} ({facts})" if description else facts
    argument: dict[str, Any] = {"name": name, "required": variable.required and variable.default is None}
    return {**argument, "description": description} if description else argument


def argument_schema(variable: Variable) -> dict[str, Any]:
    """Return the JSON Schema of a variable's value, with its description and its default; a sensitive default is left out."""
    schema = variable.json_schema()
    if variable.description:
        schema["description"] = variable.description
    if variable.default is not None and not variable.sensitive:
        schema["default"] = variable.default
    return schema


def convert_arguments(prepared: PreparedPrompt, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Convert texts to values of the variables' declared types.

    A variable without a type takes the text as it is, or the value of its enum for which the text stands. An empty text for an
    optional variable that is no text means that the variable is not sent, since the forms of clients send empty fields.

    Raises:
        InvalidVariables: with an error for each text that is not a value of its type; no error repeats a text.
    """
    values: dict[str, Any] = {}
    field_errors: list[FieldError] = []
    for name, text in arguments.items():
        variable = prepared.variables.get(name)
        form = _json_form(prepared, name) if variable is not None else None
        is_needed = variable is not None and variable.required and variable.default is None
        enum = variable.enum if variable is not None and form is None and variable.type is None else None
        if enum is not None:
            if text or "" in enum or is_needed:
                values[name] = enum_value(enum, text)
        elif form is None:
            values[name] = text
        elif text or is_needed:
            try:
                values[name] = _parse(text)
            except PromptuaryError:
                field_errors.append(FieldError(name, f"must be {form}"))
    if field_errors:
        raise InvalidVariables("the arguments do not fit the prompt", field_errors)
    return values


def complete_argument(prepared: PreparedPrompt, name: str, beginning: str) -> list[str]:
    """Return the values of an enum or a boolean that begin with a text, in their order; none for any other variable.

    Raises:
        InvalidVariables: when the prompt has no variable of that name.
    """
    variable = prepared.variables.get(name)
    if variable is None:
        known = ", ".join(prepared.variables) or "none"
        raise InvalidVariables(
            "the argument cannot be completed", [FieldError(name, f"is not a variable of this prompt; it has: {known}")]
        )
    values = variable.enum if variable.enum is not None else [True, False] if variable.type == "boolean" else []
    return [text for text in map(enum_text, values) if text.lower().startswith(beginning.lower())]


def _form(prepared: PreparedPrompt, name: str) -> str:
    variable = prepared.variables[name]
    if variable.enum is not None:
        return "one of " + ", ".join(map(enum_text, variable.enum))
    return _json_form(prepared, name) or ("text" if variable.type == "string" else "")


def _json_form(prepared: PreparedPrompt, name: str) -> str | None:
    return json_form(prepared.variables[name], placeholder=name in prepared.content.placeholders())


def _bounds(variable: Variable) -> list[str]:
    limits = ((text, getattr(variable, keyword)) for keyword, text in _BOUNDS.items())
    return [text.format(limit) for text, limit in limits if limit is not None]


def _default(variable: Variable) -> str:
    if variable.default is None or variable.sensitive:
        return ""
    return f"default {json.dumps(variable.default, ensure_ascii=False)}"


def _parse(text: str) -> Any:
    return parse_strict_json(text.encode("utf-8", "surrogatepass"))
