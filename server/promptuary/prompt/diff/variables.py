"""Whether a variable still takes every value that it took: what makes a new version safe for those who call with old values.

Every word of a variable's schema narrows by itself, so a changed variable takes all that it took exactly when each changed word
does. Where the old variable takes only a few values (an enum, a boolean, a short range of integers) they are tried one by
one. A word that loosens, or that bounds what the other words keep out anyway, is no narrowing.
"""

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

from promptuary.prompt.digest import canonical_json
from promptuary.prompt.variables import Property, Schema, Variable, fits

WORDS = ("type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "items", "properties")
_FEW = 1000
_SHOWN = 5
_NUMBERS = frozenset({"integer", "decimal"})
_KINDS: dict[str | None, frozenset[str]] = {
    None: frozenset({"string", "boolean", "null", "array", "object", *_NUMBERS}),
    "number": _NUMBERS,  # 2.0 is an integer in JSON Schema; a decimal here is a number that is none
}
_KINDS |= {word: frozenset({word}) for word in ("string", "integer", "boolean", "array", "object")}


def is_mandatory(variable: Variable) -> bool:
    """Tell whether a render without a value for it is refused."""
    return variable.required and variable.default is None


def narrowings(name: str, old: Variable, new: Variable) -> dict[str, str]:
    """Give the words of the schema by which the new variable refuses some value that the old one took, each with a sentence."""
    found = {}
    for word in WORDS:
        limit = getattr(new, word)
        if limit is not None and _refuses(word, limit, old):
            found[word] = f"the variable '{name}' {_said(word, getattr(old, word), limit)}"
    if is_mandatory(new) and not is_mandatory(old):
        if not old.required:
            found["required"] = f"the variable '{name}' was optional and must be given now"
        else:
            found["default"] = f"the variable '{name}' has lost its default and must be given now"
    return found


def _narrows(old: Schema, new: Schema) -> bool:
    """Tell whether the new schema refuses some value that the old one takes."""
    return any(getattr(new, word) is not None and _refuses(word, getattr(new, word), old) for word in WORDS)


def _refuses(word: str, limit: Any, old: Schema) -> bool:
    """Tell whether the word keeps out some value that the old schema takes."""
    few = _few(old)
    if word == "enum":
        allowed = {canonical_json(value) for value in limit}
        return bool(_kinds(old)) if few is None else any(canonical_json(value) not in allowed for value in few)
    if few is not None:
        return any(not _fits(word, limit, value) for value in few)
    kinds = _kinds(old)
    held = getattr(old, word)
    match word:
        case "type":
            return not kinds <= _KINDS[limit]
        case "minLength" | "minItems":
            return _limits(word) in kinds and (held or 0) < limit
        case "maxLength" | "maxItems":
            return _limits(word) in kinds and (held is None or held > limit)
        case "minimum":
            return bool(kinds & _NUMBERS) and (held is None or (held if "decimal" in kinds else ceil(held)) < limit)
        case "items":
            return "array" in kinds and _above(old.maxItems) > 0 and _narrows(held or Schema(), limit)
        case "properties":
            return "object" in kinds and (held is None or _closes(held, limit))
        case _:
            return bool(kinds & _NUMBERS) and (held is None or (held if "decimal" in kinds else floor(held)) > limit)


def _closes(old: Mapping[str, Property], new: Mapping[str, Property]) -> bool:
    """Tell whether an object with the old members may be none with the new: one is gone, must be there now, or takes less."""
    return (
        any(name not in new for name in old)
        or any(said.required and not (name in old and old[name].required) for name, said in new.items())
        or any(_narrows(said, new[name]) for name, said in old.items())
    )


def _limits(word: str) -> str:
    return "string" if word.endswith("Length") else "array"


def _kinds(variable: Schema) -> frozenset[str]:
    """Give the kinds of values that it takes; a kind whose bounds leave nothing is none."""
    low, high = variable.minimum, variable.maximum
    empty = set()
    if (variable.minLength or 0) > _above(variable.maxLength):
        empty.add("string")
    if (variable.minItems or 0) > _above(variable.maxItems):
        empty.add("array")
    if low is not None and high is not None:
        if ceil(low) > floor(high):
            empty.add("integer")
        if low > high or (low == high and ceil(low) == low):
            empty.add("decimal")
    return _KINDS[variable.type] - empty


def _above(limit: int | None) -> float:
    return float("inf") if limit is None else limit


def _few(variable: Schema) -> list[Any] | None:
    """List the values that it takes, where they are few; None where they are many."""
    if variable.enum is not None:
        words = {word: getattr(variable, word) for word in WORDS if word != "enum"}
        said = {word: limit for word, limit in words.items() if limit is not None}
        return [value for value in variable.enum if all(_fits(word, limit, value) for word, limit in said.items())]
    if variable.type == "boolean":
        return [True, False]
    if variable.type == "integer" and variable.minimum is not None and variable.maximum is not None:
        whole = range(ceil(variable.minimum), floor(variable.maximum) + 1)
        return list(whole) if whole.stop - whole.start <= _FEW else None
    return None


def _fits(word: str, limit: Any, value: Any) -> bool:
    """Tell whether a value fits one word, as JSON Schema has it: a bound says nothing of a value of another kind."""
    kind = json_type(value)
    match word:
        case "type":
            return kind in _KINDS[limit]
        case "minLength" | "minItems":
            return kind != _limits(word) or len(value) >= limit
        case "maxLength" | "maxItems":
            return kind != _limits(word) or len(value) <= limit
        case "minimum":
            return kind not in _NUMBERS or bool(value >= limit)
        case "items":
            return kind != "array" or all(fits(limit, item) for item in value)
        case "properties":
            return kind != "object" or fits(Schema(type="object", properties=limit), value)
        case _:
            return kind not in _NUMBERS or bool(value <= limit)


def json_type(value: Any) -> str:
    """Name the kind of a JSON value as a schema's `type` does; a number that is no integer is a `decimal`."""
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


def _said(word: str, before: Any, after: Any) -> str:
    match word:
        case "type":
            return f"was of {f'type {before}' if before else 'any type'} and is of type {after}"
        case "enum":
            kept = {canonical_json(value) for value in after}
            lost = [canonical_json(value).decode() for value in before or () if canonical_json(value) not in kept]
            more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            return f"no longer takes {', '.join(lost[:_SHOWN])}{more}" if lost else "takes only the values of its enum now"
        case "items":
            return "takes fewer items now: what an item must be has changed"
        case "properties":
            return "takes fewer objects now: which members they have, or what these must be, has changed"
        case _:
            return f"has {word} {after} now, and had {'none' if before is None else before}"
