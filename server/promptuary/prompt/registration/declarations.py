"""Declarations of variables that no value can meet, or whose enum has values that can never be given.

They are refused when a content is registered. A version that an earlier release took is loaded and rendered as before.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from promptuary.prompt.canonical_json import json_identity
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.message import Message
from promptuary.prompt.registration.placeholder_items import item_errors
from promptuary.prompt.templates.message_templates import ATTACHMENT_KINDS
from promptuary.prompt.templates.prepared import ATTACHMENT_LIMIT, OUTPUT_LIMIT
from promptuary.prompt.variables import PARTS_LIMIT, Schema, value_error

_BOUNDS = (("minLength", "maxLength"), ("minimum", "maximum"), ("minItems", "maxItems"))
ENUM_LIMIT = 5_000
"""The most values of an enum; checking one takes about 50 µs."""
_TEXT_LIMIT = 40


def declaration_errors(content: Content) -> list[FieldError]:
    """Return an error for each part of a variable's declaration that contradicts another part of it."""
    placeholders = content.placeholders()
    most_characters = ATTACHMENT_LIMIT if _has_attachments(content) else OUTPUT_LIMIT
    field_errors: list[FieldError] = []
    for name, variable in content.variables.items():
        path = f"variables.{name}"
        field_errors += _schema_errors(path, variable, most_characters)
        if name in placeholders and variable.items is not None:
            field_errors += item_errors(f"{path}.items", variable.items)
    return field_errors


def _has_attachments(content: Content) -> bool:
    messages = () if isinstance(content.template, str) else content.template
    fields = (field for message in messages if isinstance(message, Message) for field in message.fields())
    return any(field.kind in ATTACHMENT_KINDS for field in fields)


def _schema_errors(path: str, schema: Schema, most_characters: int) -> Iterator[FieldError]:
    for keyword, limit, what in (("minLength", most_characters, "characters"), ("minItems", PARTS_LIMIT, "items")):
        if (least := getattr(schema, keyword)) is not None and least > limit:
            yield FieldError(f"{path}.{keyword}", f"is {least}, over the limit of {limit} {what} of a value: lower it")
    for low, high in _BOUNDS:
        least, most = getattr(schema, low), getattr(schema, high)
        if least is not None and most is not None and least > most:
            yield FieldError(f"{path}.{low}", f"is {least}, over {high}, which is {most}: no value meets both")
    if schema.type == "integer" and None not in (least := schema.minimum, most := schema.maximum):
        if least <= most and math.ceil(least) > most:
            yield FieldError(f"{path}.minimum", f"is {least} and maximum {most}: no integer is between them")
    yield from _enum_errors(path, schema)
    if schema.items is not None:
        yield from _schema_errors(f"{path}.items", schema.items, most_characters)
    for name, member in (schema.properties or {}).items():
        yield from _schema_errors(f"{path}.properties.{name}", member, most_characters)


def _enum_errors(path: str, schema: Schema) -> Iterator[FieldError]:
    values = schema.enum or []
    if len(values) > ENUM_LIMIT:
        yield FieldError(f"{path}.enum", f"has {len(values)} values, over the limit of {ENUM_LIMIT}")
        return
    others = schema.model_copy(update={"enum": None})
    firsts: dict[str, int] = {}
    for number, value in enumerate(values):
        place = f"{path}.enum.{number}"
        error = value_error("", others, value)
        if error is not None:
            where = f", at {error.path}" if error.path else ""
            yield FieldError(place, f"is {value_text(value)} and can never be given: a value {error.message}{where}")
        elif (first := firsts.setdefault(json_identity(value), number)) != number:
            yield FieldError(place, f"is {value_text(value)}, which is enum.{first} already")


def value_text(value: Any) -> str:
    """Return a value as JSON for a message, without the rest of a long one."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…"


def config_errors(config: Any, limit: int, depth_limit: int) -> list[FieldError]:
    """Return why a free configuration is not accepted: it is over the limit of bytes as compact JSON, or nested too deep."""
    if _depth(config) > depth_limit:
        return [FieldError("config", f"is nested more than {depth_limit} deep")]
    size = len(json.dumps(config, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    return [FieldError("config", f"has {size} bytes as JSON, over the limit of {limit}")] if size > limit else []


def _depth(value: Any) -> int:
    """Return how deep objects and lists are nested: 0 for a value that is neither. Iterative: a deep value ends no process."""
    level, depth = [value], 0
    while level := [part for item in level for part in _members(item)]:
        depth += 1
    return depth + isinstance(value, dict | list)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [item for item in value.values() if isinstance(item, dict | list)]
    return [item for item in value if isinstance(item, dict | list)] if isinstance(value, list) else []
