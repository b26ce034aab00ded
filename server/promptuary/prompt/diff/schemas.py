"""Whether a reader of values of one JSON Schema can read the values of another; the opposite direction of `variables`.

A reader depends on what the old schema guarantees. So it is a loss if a field is removed or may be missing, or may have a type,
a value or a size that was impossible. A new field is no loss, because readers ignore unknown fields; except among the arguments
of a tool (`closed`), which a function takes by name. A change that is not known to be safe (of an `anyOf`, a `$ref` or
a `pattern`) counts as a loss. Annotations such as `description` do not affect the values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from promptuary.prompt.canonical_json import json_equal, json_identity
from promptuary.prompt.diff.variables import json_type

_ABSENT: Any = object()
_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema"}
)
_AT_LEAST = frozenset({"minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum"})
_AT_MOST = frozenset({"maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum"})
_NARROWING = frozenset(
    {
        *("type", "enum", "const", "pattern", "format", "multipleOf", "uniqueItems", "required", "properties", "items"),
        *("additionalProperties", "propertyNames", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "definitions"),
        *_AT_LEAST,
        *_AT_MOST,
    }
)
"""The keywords that can only exclude values, so that a new one is no loss."""
_TYPES = {
    **{name: frozenset({name}) for name in ("string", "integer", "boolean", "null", "array", "object")},
    "number": frozenset({"integer", "decimal"}),
}
_LISTED_VALUES = 5


@dataclass(frozen=True)
class Loss:
    """A guarantee that the new schema does not have: the dotted path of the keyword that causes it, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class SchemaSubject:
    """What a schema describes, and how messages name it.

    Attributes:
        path: the dotted path of the schema; a loss has the path of the keyword that causes it.
        noun: the name of a value, such as "the response".
        field_noun: the name of a property of it, such as "field".
        closed: whether the reader refuses a property that it does not know.
        fields: the names of the properties that lead to the schema.
    """

    path: str
    noun: str
    field_noun: str
    closed: bool = False
    fields: tuple[str, ...] = ()

    @property
    def names_arguments(self) -> bool:
        """Whether the schema is that of a function's arguments, which cannot have names that it does not list."""
        return self.closed and not self.fields

    def within(self, keyword: str, field: str) -> "SchemaSubject":
        """Return the subject of a schema inside this one."""
        return replace(self, path=f"{self.path}.{keyword}", fields=(*self.fields, field))

    def loss(self, keyword: str, predicate: str, *field: str) -> Loss:
        """Return a loss by a keyword; the predicate ends the sentence about the subject or about a field of it."""
        fields = (*self.fields, *field)
        noun = f"{self.noun}'s {self.field_noun} '{'.'.join(fields)}'" if fields else self.noun
        return Loss(f"{self.path}.{keyword}" if keyword else self.path, f"{noun} {predicate}")


def schema_losses(old: Any, new: Any, subject: SchemaSubject) -> list[Loss]:
    """Return the guarantees of the old schema that the new one does not have.

    Args:
        old: a JSON Schema; any other JSON value is compared for equality.
        new: likewise.
        subject: what the schemas describe, and where they are.
    """
    return list(_losses(old, new, subject))


def _losses(old: Any, new: Any, subject: SchemaSubject) -> Iterator[Loss]:
    if old is True or new is False or (old == {} and not subject.names_arguments):
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        if not json_equal(old, new):
            yield subject.loss("", "may be any value now")
        return
    for keyword in old:
        if keyword not in _ANNOTATIONS:
            yield from _keyword_losses(keyword, old, new, subject)
    for keyword in new:
        if keyword not in old and keyword not in _ANNOTATIONS | _NARROWING:
            yield subject.loss(keyword, f"has `{keyword}` now, which is not known to be safe")
    yield from _added_properties(old, new, subject)


def _keyword_losses(keyword: str, old: dict[str, Any], new: dict[str, Any], subject: SchemaSubject) -> Iterator[Loss]:
    """Yield the losses by one keyword of the old schema."""
    old_value, new_value = old[keyword], new.get(keyword, _ABSENT)
    if keyword == "type" and (types := _types(old_value)):
        if more := sorted({"number" if type_ == "decimal" else type_ for type_ in _possible_types(new) - types}):
            yield subject.loss(keyword, f"may be of another type now: {', '.join(more)}")
    elif keyword == "enum" and isinstance(old_value, list):
        yield from _values(keyword, old_value, new, subject)
    elif keyword == "const":
        yield from _values(keyword, [old_value], new, subject)
    elif keyword == "properties" and isinstance(old_value, dict):
        yield from _properties(old_value, new_value, subject)
    elif keyword == "required" and _is_names(old_value) and (new_value is _ABSENT or _is_names(new_value)):
        removed = _dict(old, "properties").keys() - _dict(new, "properties").keys()  # reported by "properties"
        safe = {*removed, *(() if new_value is _ABSENT else new_value)}
        yield from (subject.loss(keyword, "may be missing now", name) for name in old_value if name not in safe)
    elif keyword in ("$defs", "definitions") and isinstance(old_value, dict) and isinstance(new_value, dict):
        for name in [name for name in old_value if name in new_value]:
            yield from _losses(old_value[name], new_value[name], subject.within(f"{keyword}.{name}", name))
    elif keyword == "items" and new_value is not _ABSENT:
        yield from _losses(old_value, new_value, subject.within(keyword, "[]"))
    elif keyword == "additionalProperties" and not subject.closed and not isinstance(old_value, dict):
        return  # a reader that is not closed ignores unknown fields
    elif keyword == "additionalProperties" and isinstance(old_value, dict) and isinstance(new_value, dict):
        yield from _losses(old_value, new_value, subject.within(keyword, "*"))
    elif keyword == "additionalProperties" and (old_value is True or new_value is False):
        return
    else:
        yield from _limit_losses(keyword, old_value, new_value, subject)


def _limit_losses(keyword: str, old_value: Any, new_value: Any, subject: SchemaSubject) -> Iterator[Loss]:
    """Yield the loss by a bound that is wider or removed, or by any other keyword that has changed."""
    if keyword in _AT_LEAST | _AT_MOST and _is_number(old_value) and (new_value is _ABSENT or _is_number(new_value)):
        if new_value is _ABSENT:
            yield subject.loss(keyword, f"has a wider range now: {keyword} is removed")
        elif new_value < old_value if keyword in _AT_LEAST else new_value > old_value:
            yield subject.loss(keyword, f"has a wider range now: {keyword} was {old_value} and is {new_value}")
    elif new_value is _ABSENT:
        yield subject.loss(keyword, f"has no `{keyword}` any more")
    elif not json_equal(old_value, new_value):
        yield subject.loss(keyword, f"has another `{keyword}`, which is not known to be safe")


def _properties(old: dict[str, Any], new: Any, subject: SchemaSubject) -> Iterator[Loss]:
    for name, schema in old.items():
        if isinstance(new, dict) and name in new:
            yield from _losses(schema, new[name], subject.within(f"properties.{name}", name))
        else:
            yield subject.loss(f"properties.{name}" if isinstance(new, dict) else "properties", "is removed", name)


def _added_properties(old: dict[str, Any], new: dict[str, Any], subject: SchemaSubject) -> Iterator[Loss]:
    """Yield the losses by properties that only the new schema has."""
    old_properties, additional = _dict(old, "properties"), old.get("additionalProperties", False)
    closed = subject.closed and additional is False and ("properties" in old or subject.names_arguments)
    for name, schema in _dict(new, "properties").items():
        if name in old_properties:
            continue
        if closed:
            keyword = f"properties.{name}" if isinstance(old.get("properties"), dict) else "properties"
            yield subject.loss(keyword, "is new, and a call may pass it to a function that does not know it", name)
        elif isinstance(additional, dict):
            yield from _losses(additional, schema, subject.within(f"properties.{name}", name))


def _values(keyword: str, old_values: list[Any], new: dict[str, Any], subject: SchemaSubject) -> Iterator[Loss]:
    values = new["enum"] if isinstance(new.get("enum"), list) else None
    if "const" in new:  # with an enum, a value must be in both
        values = [value for value in values or [new["const"]] if json_identity(value) == json_identity(new["const"])]
    if values is None:
        yield subject.loss(keyword, "may have any value now")
        return
    allowed = {json_identity(value) for value in old_values}
    more = [json_identity(value) for value in values if json_identity(value) not in allowed]
    if more:
        rest = f" and {len(more) - _LISTED_VALUES} more" if len(more) > _LISTED_VALUES else ""
        yield subject.loss(keyword, f"may have new values: {', '.join(more[:_LISTED_VALUES])}{rest}")


def _types(value: Any) -> frozenset[str]:
    """Return the types that a value of `type` allows; nothing where it is not valid."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name in _TYPES for name in names):
        return frozenset()
    return frozenset().union(*(_TYPES[name] for name in names))


def _possible_types(schema: dict[str, Any]) -> frozenset[str]:
    """Return the types of values that a schema's `type`, `enum` and `const` allow."""
    types = _types(schema.get("type")) or frozenset().union(*_TYPES.values())
    if isinstance(schema.get("enum"), list):
        types &= {json_type(value) for value in schema["enum"]}
    if "const" in schema:
        types &= {json_type(schema["const"])}
    return types


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _dict(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
