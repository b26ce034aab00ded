"""JSON at the boundary: parsed strictly, so that no two parsers of one body disagree, and the base of every wire model."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from promptuary.core.errors import FieldError, InvalidRequest, MalformedBody
from promptuary.prompt.numbers import RoundedNumber, check_utc_years, read_float
from promptuary.prompt.text import refused_character, replace_refused

T = TypeVar("T")
DEPTH_LIMIT = 64
ERRORS_LIMIT = 100
"""The most errors that one answer lists."""
_PATH_LIMIT = 500
_INTEGER_DIGITS = 20
_INTEGER_LIMIT = 2**63

ShortText = Annotated[str, StringConstraints(max_length=2000)]
NonEmptyText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _require_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time as a text, such as 2026-03-02T12:00:00Z")
    return value


Timestamp = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_text), AfterValidator(check_utc_years)]
"""A time in a request's body: a text with an offset from UTC."""


class _TooManyErrors(Exception):
    """There are more errors than an answer lists."""


class RequestModel(BaseModel):
    """A model of a request: it refuses unknown fields, and converts no types silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ResponseModel(BaseModel):
    """A model of a response; it is built from domain values, so it is not strict."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PageOf(ResponseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next_cursor: str | None = None


@dataclass(frozen=True)
class SchemaOf:
    """An annotation of a field whose value is sent as it is stored, and described in OpenAPI as a model's JSON."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the model's schema in place of the field's own."""
        # As a definition, the model's schema is described by the model's own hook, too.
        return handler(core_schema.definitions_schema(self.model.__pydantic_core_schema__, []))


def parse_strict_json(body: bytes) -> Any:
    """Parse JSON that has exactly one meaning.

    Raises:
        MalformedBody: for bytes that are not UTF-8 or not JSON, a duplicate key, NaN or Infinity, deep nesting, a huge integer.
        InvalidRequest: for NUL or a lone surrogate in a text, or an integer beyond 64 bits.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8: byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise MalformedBody("the body begins with a byte order mark; send UTF-8 without one")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_with_unique_keys,
            parse_constant=_refuse_constant,
            parse_int=_limited_integer,
            parse_float=read_float,
        )
    except json.JSONDecodeError as error:
        raise MalformedBody(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise MalformedBody(f"the body is nested more than {DEPTH_LIMIT} deep") from None
    field_errors: list[FieldError] = []
    with suppress(_TooManyErrors):
        _check_value(value, "", 0, field_errors)
    if field_errors:
        raise InvalidRequest("the request has values that are not accepted", field_errors)
    return value


def _object_with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        duplicate, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise MalformedBody(f"the body has the key {duplicate!a} twice in one object")
    return result


def _refuse_constant(constant: str) -> Any:
    raise MalformedBody(f"the body has {constant}, which is not a JSON number")


def _limited_integer(digits: str) -> int | float:
    if digits == "-0":
        return -0.0  # no integer has its minus
    if len(digits) > _INTEGER_DIGITS:
        raise MalformedBody("the body has an integer of too many digits")
    return int(digits)


def _check_value(value: Any, path: str, depth: int, field_errors: list[FieldError]) -> None:
    if depth > DEPTH_LIMIT:
        raise MalformedBody(f"the body is nested more than {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, path or "(key)", field_errors)
            _check_value(item, (f"{path}.{key}" if path else key)[:_PATH_LIMIT], depth + 1, field_errors)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_value(item, f"{path}.{number}" if path else str(number), depth + 1, field_errors)
    elif isinstance(value, str):
        _check_text(value, path, field_errors)
    elif isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        _append(field_errors, FieldError(path[:_PATH_LIMIT], "is an integer beyond 64 bits"))
    elif isinstance(value, RoundedNumber) and not value:
        _append(field_errors, FieldError(path[:_PATH_LIMIT], "is a number too small for a double; write 0"))
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        _append(field_errors, FieldError(path[:_PATH_LIMIT], "is a number beyond the range of a double"))


def _check_text(text: str, path: str, field_errors: list[FieldError]) -> None:
    if (message := refused_character(text)) is not None:
        _append(field_errors, FieldError(replace_refused(path[:_PATH_LIMIT]), message))


def _append(field_errors: list[FieldError], field_error: FieldError) -> None:
    field_errors.append(field_error)
    if len(field_errors) > ERRORS_LIMIT:
        raise _TooManyErrors
