"""Typed variables: a small, closed subset of JSON Schema, checked before anything is rendered.

There is no `pattern`: the client must accept what the server accepts, and an installation without extras has only Python's
regular expressions, some of which run for minutes on a short text. There is no `$ref`: a schema is written where it is used.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator, model_validator

from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.numbers import refuse_rounded

if TYPE_CHECKING:
    from promptuary.prompt.json_schema.jsonschema_package import Validator

JsonType = Literal["string", "integer", "number", "boolean", "array", "object"]
Length = Annotated[int, Field(ge=0)]
Description = Annotated[str, StringConstraints(max_length=2000)]
PARTS_LIMIT = 100_000
"""The most items and members of a value whose items or members have a schema."""
_SHOWN_CHARACTERS = 1000


class Schema(BaseModel):
    """The schema of a value, at any depth. Without a type it accepts any JSON value; a limit applies to values of its type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

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

    @field_validator("enum", "minimum", "maximum", mode="before")
    @classmethod
    def _numbers_come_back(cls, value: Any) -> Any:
        return refuse_rounded(value)

    @model_validator(mode="after")
    def _parts_fit_type(self) -> Self:
        for keyword, json_type in (("items", "array"), ("properties", "object")):
            if getattr(self, keyword) is not None and self.type != json_type:
                raise ValueError(f"'{keyword}' needs the type {json_type}: add it")
        return self

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a value. An object has the properties that are named, and no others."""
        keywords = {"type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"}
        schema: dict[str, Any] = self.model_dump(include=keywords, exclude_none=True)
        if self.items is not None:
            schema["items"] = self.items.json_schema()
        if self.properties is not None:
            schema["properties"] = {name: member.json_schema() for name, member in self.properties.items()}
            schema["required"] = [name for name, member in self.properties.items() if member.required]
            schema["additionalProperties"] = False
        return schema


class Property(Schema):
    """The schema of one member of an object; the member must be present unless `required` is false."""

    required: bool = True


class Variable(Schema):
    """The declaration of one variable of a prompt."""

    required: bool = True
    default: JsonValue = None
    sensitive: bool = False

    @field_validator("default", mode="before")
    @classmethod
    def _default_comes_back(cls, value: Any) -> Any:
        return refuse_rounded(value)

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default is not None and (error := value_error("", self, self.default)):
            raise ValueError(f"the default {f'({error.path}) ' if error.path else ''}{error.message}")
        return self


@lru_cache(maxsize=4096)
def _validator(schema: str) -> "Validator":
    from promptuary.prompt.json_schema.jsonschema_package import (
        jsonschema,  # takes a fifth of the client's import, and most renders need none
    )

    return jsonschema.Draft202012Validator(json.loads(schema))


def fits(schema: Schema, value: Any) -> bool:
    """Return whether a value meets a schema."""
    return value_error("", schema, value) is None


def value_error(name: str, schema: Schema, value: Any) -> FieldError | None:
    """Return the first error of a value under a name, without any part of the value: it may be sensitive."""
    if _is_unlimited(schema) and (schema.type is None or (schema.type == "string" and isinstance(value, str))):
        return None if _is_json(value) else FieldError(name, "must be a JSON value")  # without the library, see `_validator`
    if (schema.items or schema.properties) and _more_parts_than(PARTS_LIMIT, value):
        return FieldError(name, f"has more than {PARTS_LIMIT} parts")
    error = next(iter(_validator(json.dumps(schema.json_schema(), sort_keys=True)).iter_errors(value)), None)
    if error is None:
        return None if _is_json(value) else FieldError(name, "must be a JSON value")
    limit: Any = error.validator_value
    instance: Any = error.instance
    path = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        path.append(next(name for name in limit if name not in instance))
    messages = {
        "type": f"must be of type {limit}",
        "enum": f"must be one of {_shown_values(limit)}",
        "minLength": f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters",
        "minItems": f"must have at least {limit} items",
        "maxItems": f"must have at most {limit} items",
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
        "required": "is required and has no value",
        "additionalProperties": "has a property that is not in its schema",
    }
    return FieldError(".".join(filter(None, [name, *path])), messages.get(str(error.validator), "does not fit its schema"))


def _is_unlimited(schema: Schema) -> bool:
    """Return whether a schema has no keyword that limits a value, but its type."""
    return (
        schema.enum is None
        and schema.minLength is None
        and schema.maxLength is None
        and schema.minimum is None
        and schema.maximum is None
        and schema.items is None
        and schema.minItems is None
        and schema.maxItems is None
        and schema.properties is None
    )


def _shown_values(values: Any) -> str:
    """Return the values of an enum as JSON, without the rest of a long one."""
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _more_parts_than(limit: int, value: Any) -> bool:
    queue = [value]
    for _ in range(limit):
        if not queue:
            return False
        part = queue.pop()
        if isinstance(part, dict):
            queue.extend(part.values())
        elif isinstance(part, list):
            queue.extend(part)
    return bool(queue)


def _is_json(value: Any) -> bool:
    """Return whether a value from an application can be written as JSON, as a template writes it."""
    try:
        return isinstance(value, str) or bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def validate_values(variables: Mapping[str, Variable], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the defaults filled in, sorted by name.

    A template can show all values at once (`{{.}}`), and the digest does not cover the order of declarations. So the order of
    the values depends on neither the declarations nor the caller.

    Args:
        variables: the prompt's variables by name.
        values: JSON values by name.

    Raises:
        InvalidVariables: values are missing, unknown or of the wrong type, with one error for each variable. No error repeats
            a value.
    """
    field_errors = [FieldError(name, "is not a variable of this prompt") for name in values if name not in variables]
    valid_values: dict[str, Any] = {}
    for name, variable in variables.items():
        if name in values:
            if error := value_error(name, variable, values[name]):
                field_errors.append(error)
            valid_values[name] = values[name]
        elif variable.default is not None:
            valid_values[name] = variable.default
        elif variable.required:
            field_errors.append(FieldError(name, "is required and has no value"))
    if field_errors:
        raise InvalidVariables("the variables do not fit the prompt", field_errors)
    return dict(sorted(valid_values.items()))
