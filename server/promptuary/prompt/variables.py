"""Typed variables: a small, closed part of JSON Schema, checked before anything is rendered.

There is no `pattern`: what the server takes the client must take too, and an installation without extras has only Python's
own regular expressions, of which some run for minutes on a short text. There is no `$ref`: a schema stands where it is used.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from promptuary.prompt.errors import FieldError, InvalidVariables

JsonType = Literal["string", "integer", "number", "boolean", "array", "object"]
Length = Annotated[int, Field(ge=0)]
Description = Annotated[str, StringConstraints(max_length=2000)]
PARTS_LIMIT = 100_000
"""The most parts of a value that is checked part by part."""


class Schema(BaseModel):
    """What is said of a value, at any depth. Without a type, any JSON value is taken; a bound is about values of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: JsonType | None = None
    description: Description | None = None
    enum: Annotated[list[JsonValue], Field(min_length=1)] | None = None
    minLength: Length | None = None
    maxLength: Length | None = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    items: "Schema | None" = None
    minItems: Length | None = None
    maxItems: Length | None = None
    properties: Annotated[dict[str, "Property"], Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _parts_fit_type(self) -> Self:
        for word, kind in (("items", "array"), ("properties", "object")):
            if getattr(self, word) is not None and self.type != kind:
                raise ValueError(f"'{word}' is said of a value of type {kind}: say so")
        return self

    def json_schema(self) -> dict[str, Any]:
        """Give the JSON Schema that a value must meet. An object has the properties that are named, and no others."""
        words = {"type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"}
        schema: dict[str, Any] = self.model_dump(include=words, exclude_none=True)
        if self.items is not None:
            schema["items"] = self.items.json_schema()
        if self.properties is not None:
            schema["properties"] = {name: one.json_schema() for name, one in self.properties.items()}
            schema["required"] = [name for name, one in self.properties.items() if one.required]
            schema["additionalProperties"] = False
        return schema


class Property(Schema):
    """What is said of one member of an object; it must be there unless `required` is false."""

    required: bool = True


class Variable(Schema):
    """What a prompt says of one of its variables."""

    required: bool = True
    default: JsonValue = None
    sensitive: bool = False

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default is not None and (fault := _fault("", self, self.default)):
            raise ValueError(f"the default {f'({fault.path}) ' if fault.path else ''}{fault.message}")
        return self


@lru_cache(maxsize=4096)
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema))


def fits(schema: Schema, value: Any) -> bool:
    """Tell whether a value is what a schema says."""
    return _fault("", schema, value) is None


def _fault(name: str, schema: Schema, value: Any) -> FieldError | None:
    """Say where and in what the value is wrong, without repeating any of it: it may be sensitive."""
    if (schema.items or schema.properties) and _more_parts_than(PARTS_LIMIT, value):
        return FieldError(name, f"has more than {PARTS_LIMIT} parts")
    error = next(iter(_validator(json.dumps(schema.json_schema(), sort_keys=True)).iter_errors(value)), None)
    if error is None:
        return None if _is_json(value) else FieldError(name, "must be a JSON value")
    limit = error.validator_value
    path = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        path.append(next(one for one in limit if one not in error.instance))
    words = {
        "type": f"must be of type {limit}",
        "enum": f"must be one of {limit}",
        "minLength": f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters",
        "minItems": f"must have at least {limit} items",
        "maxItems": f"must have at most {limit} items",
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
        "required": "is required and has no value",
        "additionalProperties": "has a property that its schema does not name",
    }
    return FieldError(".".join(filter(None, [name, *path])), words.get(str(error.validator), "does not fit its schema"))


def _more_parts_than(limit: int, value: Any) -> bool:
    waiting = [value]
    for _ in range(limit):
        if not waiting:
            return False
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return bool(waiting)


def _is_json(value: Any) -> bool:
    """Tell whether a value that an application gives can be written as JSON, as a template writes it."""
    try:
        return isinstance(value, str) or bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def validate_values(variables: Mapping[str, Variable], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values with defaults filled in; refuse missing, unknown and wrongly typed ones, all at once.

    Raises:
        InvalidVariables: with one fault a variable; no fault repeats a value.
    """
    field_errors = [FieldError(name, "is not a variable of this prompt") for name in values if name not in variables]
    full: dict[str, Any] = {}
    for name, variable in variables.items():
        if name in values:
            if fault := _fault(name, variable, values[name]):
                field_errors.append(fault)
            full[name] = values[name]
        elif variable.default is not None:
            full[name] = variable.default
        elif variable.required:
            field_errors.append(FieldError(name, "is required and has no value"))
    if field_errors:
        raise InvalidVariables("the variables do not fit the prompt", field_errors)
    return full
