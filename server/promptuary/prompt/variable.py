"""Typed variables: a small, closed part of JSON Schema, checked before anything is rendered."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from promptuary.prompt.errors import Fault, InvalidVariables

JsonType = Literal["string", "integer", "number", "boolean", "array", "object"]
Length = Annotated[int, Field(ge=0)]


class Variable(BaseModel):
    """What a prompt says of one of its variables. Without a type, any JSON value is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: JsonType | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None
    required: bool = True
    default: JsonValue = None
    enum: Annotated[list[JsonValue], Field(min_length=1)] | None = None
    minLength: Length | None = None
    maxLength: Length | None = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    minItems: Length | None = None
    maxItems: Length | None = None
    sensitive: bool = False

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default is not None and (fault := _fault(self, self.default)):
            raise ValueError(f"the default {fault}")
        return self

    def json_schema(self) -> dict[str, JsonValue]:
        """Give the JSON Schema that a value must meet."""
        words = {"type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"}
        return self.model_dump(include=words, exclude_none=True)


@lru_cache(maxsize=4096)
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema))


def _fault(variable: Variable, value: Any) -> str | None:
    """Say in words what is wrong with the value, without repeating the value: it may be sensitive."""
    error = next(iter(_validator(json.dumps(variable.json_schema(), sort_keys=True)).iter_errors(value)), None)
    if error is None:
        return None if _is_json(value) else "must be a JSON value"
    limit = error.validator_value
    words = {
        "type": f"must be of type {limit}",
        "enum": f"must be one of {limit}",
        "minLength": f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters",
        "minItems": f"must have at least {limit} items",
        "maxItems": f"must have at most {limit} items",
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
    }
    return words.get(str(error.validator), "does not fit its schema")


def _is_json(value: Any) -> bool:
    """Tell whether a value that an application gives can be written as JSON, as a template writes it."""
    try:
        return isinstance(value, str) or bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def checked(variables: Mapping[str, Variable], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values with defaults filled in; refuse missing, unknown and wrongly typed ones, all at once.

    Raises:
        InvalidVariables: with one fault a variable; no fault repeats a value.
    """
    faults = [Fault(name, "is not a variable of this prompt") for name in values if name not in variables]
    full: dict[str, Any] = {}
    for name, variable in variables.items():
        if name in values:
            if fault := _fault(variable, values[name]):
                faults.append(Fault(name, fault))
            full[name] = values[name]
        elif variable.default is not None:
            full[name] = variable.default
        elif variable.required:
            faults.append(Fault(name, "is required and has no value"))
    if faults:
        raise InvalidVariables("the variables do not fit the prompt", faults)
    return full
