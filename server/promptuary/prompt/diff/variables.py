"""Whether a variable still accepts every value that it accepted, so that callers with old values can use a new version.

Every keyword of a variable's schema restricts the values independently of the others. So a changed variable accepts all old
values exactly when each changed keyword does. If the old variable accepts only a few values (an enum, a boolean, a short range
of integers), each value is tried. A keyword that allows more, or excludes only values that other keywords exclude, is no
narrowing.
"""

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

from promptuary.prompt.canonical_json import json_identity
from promptuary.prompt.variables import Property, Schema, Variable, fits

KEYWORDS = ("type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "items", "properties")
_TRIED_VALUES_LIMIT = 1000
_LISTED_VALUES = 5
_NUMERIC_TYPES = frozenset({"integer", "decimal"})
_TYPES: dict[str | None, frozenset[str]] = {
    None: frozenset({"string", "boolean", "null", "array", "object", *_NUMERIC_TYPES}),
    "number": _NUMERIC_TYPES,  # 2.0 is an integer in JSON Schema; a decimal here is a number that is not an integer
}
_TYPES |= {name: frozenset({name}) for name in ("string", "integer", "boolean", "array", "object")}


def is_mandatory(variable: Variable) -> bool:
    """Return whether a render without a value for the variable is refused."""
    return variable.required and variable.default is None


def narrowings(name: str, old: Variable, new: Variable) -> dict[str, str]:
    """Return the keywords by which the new variable refuses a value that the old one accepted, each with the reason."""
    reasons = {}
    for keyword in KEYWORDS:
        limit = getattr(new, keyword)
        if limit is not None and _refuses(keyword, limit, old):
            reasons[keyword] = f"the variable '{name}' {_reason(keyword, getattr(old, keyword), limit)}"
    if is_mandatory(new) and not is_mandatory(old):
        if not old.required:
            reasons["required"] = f"the variable '{name}' was optional and must be given now"
        else:
            reasons["default"] = f"the variable '{name}' has lost its default and must be given now"
    return reasons


def _narrows(old: Schema, new: Schema) -> bool:
    """Return whether the new schema refuses a value that the old one accepts."""
    return any(getattr(new, keyword) is not None and _refuses(keyword, getattr(new, keyword), old) for keyword in KEYWORDS)


def _refuses(keyword: str, limit: Any, old: Schema) -> bool:
    """Return whether the keyword excludes a value that the old schema accepts."""
    values = _accepted_values(old)
    if keyword == "enum":
        allowed = {json_identity(value) for value in limit}
        return bool(_accepted_types(old)) if values is None else any(json_identity(value) not in allowed for value in values)
    if values is not None:
        return any(not _fits(keyword, limit, value) for value in values)
    types = _accepted_types(old)
    old_limit = getattr(old, keyword)
    match keyword:
        case "type":
            return not types <= _TYPES[limit]
        case "minLength" | "minItems":
            return _limited_type(keyword) in types and (old_limit or 0) < limit
        case "maxLength" | "maxItems":
            return _limited_type(keyword) in types and (old_limit is None or old_limit > limit)
        case "minimum":
            return bool(types & _NUMERIC_TYPES) and (
                old_limit is None or (old_limit if "decimal" in types else ceil(old_limit)) < limit
            )
        case "items":
            return "array" in types and _upper_bound(old.maxItems) > 0 and _narrows(old_limit or Schema(), limit)
        case "properties":
            return "object" in types and (old_limit is None or _refuses_members(old_limit, limit))
        case _:
            return bool(types & _NUMERIC_TYPES) and (
                old_limit is None or (old_limit if "decimal" in types else floor(old_limit)) > limit
            )


def _refuses_members(old: Mapping[str, Property], new: Mapping[str, Property]) -> bool:
    """Return whether an object of the old members may be refused by the new: one is removed, mandatory now, or narrower."""
    return (
        any(name not in new for name in old)
        or any(member.required and not (name in old and old[name].required) for name, member in new.items())
        or any(_narrows(member, new[name]) for name, member in old.items())
    )


def _limited_type(keyword: str) -> str:
    return "string" if keyword.endswith("Length") else "array"


def _accepted_types(schema: Schema) -> frozenset[str]:
    """Return the types of values that a schema accepts; a type whose bounds exclude every value is left out."""
    low, high = schema.minimum, schema.maximum
    empty = set()
    if (schema.minLength or 0) > _upper_bound(schema.maxLength):
        empty.add("string")
    if (schema.minItems or 0) > _upper_bound(schema.maxItems):
        empty.add("array")
    if low is not None and high is not None:
        if ceil(low) > floor(high):
            empty.add("integer")
        if low > high or (low == high and ceil(low) == low):
            empty.add("decimal")
    return _TYPES[schema.type] - empty


def _upper_bound(limit: int | None) -> float:
    return float("inf") if limit is None else limit


def _accepted_values(schema: Schema) -> list[Any] | None:
    """Return all values that a schema accepts, or None where there are too many."""
    if schema.enum is not None:
        limits = {keyword: getattr(schema, keyword) for keyword in KEYWORDS if keyword != "enum"}
        limits = {keyword: limit for keyword, limit in limits.items() if limit is not None}
        return [value for value in schema.enum if all(_fits(keyword, limit, value) for keyword, limit in limits.items())]
    if schema.type == "boolean":
        return [True, False]
    if schema.type == "integer" and schema.minimum is not None and schema.maximum is not None:
        integers = range(ceil(schema.minimum), floor(schema.maximum) + 1)
        # Not len(): a range may be longer than sys.maxsize.
        return list(integers) if integers.stop - integers.start <= _TRIED_VALUES_LIMIT else None
    return None


def _fits(keyword: str, limit: Any, value: Any) -> bool:
    """Return whether a value fits one keyword; as in JSON Schema, a bound accepts every value of another type."""
    type_ = json_type(value)
    match keyword:
        case "type":
            return type_ in _TYPES[limit]
        case "minLength" | "minItems":
            return type_ != _limited_type(keyword) or len(value) >= limit
        case "maxLength" | "maxItems":
            return type_ != _limited_type(keyword) or len(value) <= limit
        case "minimum":
            return type_ not in _NUMERIC_TYPES or bool(value >= limit)
        case "items":
            return type_ != "array" or all(fits(limit, item) for item in value)
        case "properties":
            return type_ != "object" or fits(Schema(type="object", properties=limit), value)
        case _:
            return type_ not in _NUMERIC_TYPES or bool(value <= limit)


def json_type(value: Any) -> str:
    """Return the type of a JSON value as a schema's `type` names it; a number that is not an integer is a `decimal`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "decimal"
        case list():
            return "array"
        case _:
            return "object"


def _reason(keyword: str, before: Any, after: Any) -> str:
    """Return the end of the sentence about a variable that a keyword narrows."""
    match keyword:
        case "type":
            return f"was of {f'type {before}' if before else 'any type'} and is of type {after}"
        case "enum":
            accepted = {json_identity(value) for value in after}
            lost = [json_identity(value) for value in before or () if json_identity(value) not in accepted]
            more = f" and {len(lost) - _LISTED_VALUES} more" if len(lost) > _LISTED_VALUES else ""
            if not lost:
                return "accepts only the values of its enum now"
            return f"no longer accepts {', '.join(lost[:_LISTED_VALUES])}{more}"
        case "items":
            return "accepts fewer lists now: the schema of its items has changed"
        case "properties":
            return "accepts fewer objects now: its properties or their schemas have changed"
        case _:
            return f"has {keyword} {after} now and had {'none' if before is None else before}"
