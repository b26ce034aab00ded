"""Whether who reads the answers of one JSON Schema can read those of another: the other way round from what a call may give.

A reader is served by an answer that holds what the old schema promised. So it is a loss when a field goes or may be missing, or
may have a type, a value or a size that it could not have. More fields are none, for readers pass over what they do not know;
except for the arguments of a tool (`closed`), which a function takes by name. What cannot be told to be safe (an `anyOf`,
a `$ref` or a `pattern` that has changed) counts as a loss. Annotations such as `description` say nothing of the answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from promptuary.prompt.diff.variables import json_type
from promptuary.prompt.digest import canonical_json

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
"""The words that only ever keep answers out, so that a new one is no loss."""
_TYPES = {
    **{word: frozenset({word}) for word in ("string", "integer", "boolean", "null", "array", "object")},
    "number": frozenset({"integer", "decimal"}),
}
_SHOWN = 5


@dataclass(frozen=True)
class Loss:
    """What a reader may no longer count on: a word of the schema at a dotted path, and a sentence."""

    path: str
    why: str


@dataclass(frozen=True)
class _Place:
    """Where a schema stands, and what it is called that it describes."""

    path: str
    whole: str
    part: str
    closed: bool
    fields: tuple[str, ...] = ()

    @property
    def names_arguments(self) -> bool:
        """Whether the schema is that of a function's arguments, where what it does not name cannot come."""
        return self.closed and not self.fields

    def within(self, word: str, field: str) -> "_Place":
        return replace(self, path=f"{self.path}.{word}", fields=(*self.fields, field))

    def loss(self, word: str, what: str, *more: str) -> Loss:
        fields = (*self.fields, *more)
        noun = f"{self.whole}'s {self.part} '{'.'.join(fields)}'" if fields else self.whole
        return Loss(f"{self.path}.{word}" if word else self.path, f"{noun} {what}")


def schema_losses(old: Any, new: Any, path: str, whole: str, part: str, *, closed: bool = False) -> list[Loss]:
    """List what a reader of the old schema's answers may no longer count on with the new one.

    Args:
        old: a JSON Schema, or what a caller has put in its place.
        new: the same.
        path: where they stand; a loss has the path of the word that is to blame.
        whole: what an answer is called in the sentences, as "the answer".
        part: what a property of it is called, as "field".
        closed: whether a property that the reader does not know is one too many.
    """
    return list(_losses(old, new, _Place(path, whole, part, closed)))


def json_equal(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are one, as their canonical form has it: 1 is 1.0, and is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(json_equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(json_equal, one, other))
    return bool(one == other)


def _losses(old: Any, new: Any, place: _Place) -> Iterator[Loss]:
    if old is True or new is False or (old == {} and not place.names_arguments):
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        if not json_equal(old, new):
            yield place.loss("", "may be anything now")
        return
    for word in old:
        if word not in _ANNOTATIONS:
            yield from _of_word(word, old, new, place)
    for word in new:
        if word not in old and word not in _ANNOTATIONS | _NARROWING:
            yield place.loss(word, f"has `{word}` now, which cannot be told to be safe")
    yield from _added(old, new, place)


def _of_word(word: str, old: dict[str, Any], new: dict[str, Any], place: _Place) -> Iterator[Loss]:
    """List what is lost by one word that the old schema has."""
    held, now = old[word], new.get(word, _ABSENT)
    if word == "type" and (types := _types(held)):
        if more := sorted({"number" if kind == "decimal" else kind for kind in _possible(new) - types}):
            yield place.loss(word, f"may be of another type now: {', '.join(more)}")
    elif word == "enum" and isinstance(held, list):
        yield from _values(word, held, new, place)
    elif word == "const":
        yield from _values(word, [held], new, place)
    elif word == "properties" and isinstance(held, dict):
        yield from _properties(held, now, place)
    elif word == "required" and _names(held) and (now is _ABSENT or _names(now)):
        told = _dict(old, "properties").keys() - _dict(new, "properties").keys()
        kept = {*told, *(() if now is _ABSENT else now)}
        yield from (place.loss(word, "may be missing now", name) for name in held if name not in kept)
    elif word in ("$defs", "definitions") and isinstance(held, dict) and isinstance(now, dict):
        for name in [name for name in held if name in now]:
            yield from _losses(held[name], now[name], place.within(f"{word}.{name}", name))
    elif word == "items" and now is not _ABSENT:
        yield from _losses(held, now, place.within(word, "[]"))
    elif word == "additionalProperties" and not place.closed and not isinstance(held, dict):
        return  # an open reader passes over fields that it does not know
    elif word == "additionalProperties" and isinstance(held, dict) and isinstance(now, dict):
        yield from _losses(held, now, place.within(word, "*"))
    elif word == "additionalProperties" and (held is True or now is False):
        return
    elif word in _AT_LEAST | _AT_MOST and _number(held) and (now is _ABSENT or _number(now)):
        if now is _ABSENT or (now < held if word in _AT_LEAST else now > held):
            yield place.loss(
                word, f"is held less tightly: {word} {'is gone' if now is _ABSENT else f'was {held} and is {now}'}"
            )
    elif now is _ABSENT:
        yield place.loss(word, f"has lost its `{word}`")
    elif not json_equal(held, now):
        yield place.loss(word, f"has another `{word}`, which cannot be told to be safe")


def _properties(held: dict[str, Any], now: Any, place: _Place) -> Iterator[Loss]:
    for name, schema in held.items():
        if isinstance(now, dict) and name in now:
            yield from _losses(schema, now[name], place.within(f"properties.{name}", name))
        else:
            yield place.loss(f"properties.{name}" if isinstance(now, dict) else "properties", "is taken away", name)


def _added(old: dict[str, Any], new: dict[str, Any], place: _Place) -> Iterator[Loss]:
    """List what is lost by properties that only the new schema has."""
    held, others = _dict(old, "properties"), old.get("additionalProperties", False)
    closed = place.closed and others is False and ("properties" in old or place.names_arguments)
    for name, schema in _dict(new, "properties").items():
        if name in held:
            continue
        if closed:
            word = f"properties.{name}" if isinstance(old.get("properties"), dict) else "properties"
            yield place.loss(word, "is new, and a function that does not know it may be called with it", name)
        elif isinstance(others, dict):
            yield from _losses(others, schema, place.within(f"properties.{name}", name))


def _values(word: str, held: list[Any], new: dict[str, Any], place: _Place) -> Iterator[Loss]:
    values = new["enum"] if isinstance(new.get("enum"), list) else [new["const"]] if "const" in new else None
    if values is None:
        yield place.loss(word, "may have any value now")
        return
    allowed = {canonical_json(value) for value in held}
    more = [canonical_json(value).decode() for value in values if canonical_json(value) not in allowed]
    if more:
        rest = f" and {len(more) - _SHOWN} more" if len(more) > _SHOWN else ""
        yield place.loss(word, f"may have new values: {', '.join(more[:_SHOWN])}{rest}")


def _types(said: Any) -> frozenset[str]:
    """Give the kinds of values that a `type` allows; none for what is no `type`."""
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) and word in _TYPES for word in words):
        return frozenset()
    return frozenset().union(*(_TYPES[word] for word in words))


def _possible(schema: dict[str, Any]) -> frozenset[str]:
    """Give the kinds of values that a schema's type, enum and const leave."""
    kinds = _types(schema.get("type")) or frozenset().union(*_TYPES.values())
    if isinstance(schema.get("enum"), list):
        kinds &= {json_type(value) for value in schema["enum"]}
    if "const" in schema:
        kinds &= {json_type(schema["const"])}
    return kinds


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _dict(schema: dict[str, Any], word: str) -> dict[str, Any]:
    value = schema.get(word)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
