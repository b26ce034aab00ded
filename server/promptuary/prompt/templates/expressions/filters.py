"""The filters and tests that Jinja templates may use: those that only make texts and lists, each within the render's budget.

They do what Jinja's filters of the same names do, with two intended differences: a value is shown as in every format (`true`,
not `True`), and `tojson` writes plain JSON, because a prompt is not a web page.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import (
    UNDEFINED,
    JsonText,
    TypeMismatch,
    Undefined,
    describe_type,
    is_number,
    may_lack,
    to_text,
)

_WIDTH_LIMIT = 100
_PRECISION_LIMIT = 15
_WORD = re.compile(r"([-\s({\[<]+)")


def _check_list(name: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if isinstance(value, Undefined):
        to_text(value)  # an error where a missing value is one
        return []
    if isinstance(value, list | tuple):
        return value
    raise TypeMismatch(f"the filter '{name}' needs a list")


def _check_defined(name: str, value: Any) -> None:
    if isinstance(value, Undefined):
        raise TypeMismatch(value.reason or f"the filter '{name}' needs a value, and there is none", value.name)


def _check_integer(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise TypeMismatch(f"the filter '{name}' needs an integer from {least} to {most} as its argument")
    return value


def _check_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeMismatch(f"the filter '{name}' needs a text as its argument")
    return value


def _member(budget: RenderBudget, item: Any, attribute: str) -> Any:
    for part in attribute.split("."):
        if budget.strict and not (isinstance(item, Mapping) and part in item) and not may_lack(item, part):
            raise TypeMismatch(f"an item is {describe_type(item)} without '{part}', which 'map' or 'join' takes from it")
        item = item.get(part) if isinstance(item, Mapping) else None
    return item


def _upper(_: RenderBudget, value: Any) -> str:
    return to_text(value).upper()


def _lower(_: RenderBudget, value: Any) -> str:
    return to_text(value).lower()


def _capitalize(_: RenderBudget, value: Any) -> str:
    return to_text(value).capitalize()


def _title(budget: RenderBudget, value: Any) -> str:
    text = to_text(value)
    budget.add_steps(len(text) // 4)
    return "".join(part[0].upper() + part[1:].lower() for part in _WORD.split(text) if part)


def _trim(_: RenderBudget, value: Any, chars: Any = None) -> str:
    return to_text(value).strip(None if chars is None else _check_text("trim", chars))


def _string(_: RenderBudget, value: Any) -> str:
    return to_text(value)


def _replace(budget: RenderBudget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    text, old_text, new_text = to_text(value), _check_text("replace", old), _check_text("replace", new)
    most = -1 if count is None else _check_integer("replace", count, 0, 2**31)
    replacements = text.count(old_text) if most < 0 else min(most, text.count(old_text))
    budget.add_intermediate(len(text) + replacements * max(0, len(new_text) - len(old_text)))
    return text.replace(old_text, new_text, most)


def _indent(budget: RenderBudget, value: Any, width: Any = 4, first: Any = False, blank: Any = False) -> str:
    _check_defined("indent", value)
    margin = " " * _check_integer("indent", width, 0, _WIDTH_LIMIT)
    text = to_text(value) + "\n"
    lines = text.splitlines()
    budget.add_steps(len(lines))
    budget.add_intermediate(len(text) + len(lines) * len(margin))
    if blank:
        result = ("\n" + margin).join(lines)
    else:
        result = "\n".join([lines[0], *(margin + line if line else line for line in lines[1:])])
    return margin + result if first else result


def _truncate(_: RenderBudget, value: Any, length: Any = 255, killwords: Any = False, end: Any = "...", leeway: Any = 5) -> Any:
    if isinstance(value, Undefined):
        return value
    text, mark = to_text(value), _check_text("truncate", end)
    most = _check_integer("truncate", length, len(mark), 2**31)
    if len(text) <= most + _check_integer("truncate", leeway, 0, 2**31):
        return text
    shortened = text[: most - len(mark)]
    return (shortened if killwords else shortened.rsplit(" ", 1)[0]) + mark


def _join(budget: RenderBudget, value: Any, d: Any = "", attribute: Any = None) -> str:
    items, between = _check_list("join", value), _check_text("join", d)
    if attribute is not None:
        items = _map(budget, items, attribute)
    texts: list[str] = []
    for item in items:
        texts.append(to_text(item))
        budget.add_steps(1 + len(texts[-1]) // 16)
    budget.add_intermediate(sum(map(len, texts)) + len(between) * max(0, len(texts) - 1))
    return between.join(texts)


def _map(budget: RenderBudget, value: Any, attribute: Any) -> list[Any]:
    items, name = _check_list("map", value), _check_text("map", attribute)
    budget.add_steps(len(items) * (1 + name.count(".")))
    return [_member(budget, item, name) for item in items]


def _first(_: RenderBudget, value: Any) -> Any:
    if isinstance(value, Undefined):
        return value
    items = value if isinstance(value, str) else _check_list("first", value)
    return items[0] if items else UNDEFINED


def _last(_: RenderBudget, value: Any) -> Any:
    if isinstance(value, Undefined):
        return value
    items = value if isinstance(value, str) else _check_list("last", value)
    return items[-1] if items else UNDEFINED


def _length(_: RenderBudget, value: Any) -> int:
    if isinstance(value, str | Mapping):
        return len(value)
    return len(_check_list("length", value))


def _reverse(_: RenderBudget, value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else list(_check_list("reverse", value)[::-1])


def _items(budget: RenderBudget, value: Any) -> list[list[Any]]:
    if isinstance(value, Undefined):
        return []
    if not isinstance(value, Mapping):
        raise TypeMismatch("the filter 'items' needs an object")
    budget.add_steps(len(value))
    return [[key, item] for key, item in value.items()]


def _default(_: RenderBudget, value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _tojson(budget: RenderBudget, value: Any, indent: Any = None) -> str:
    _check_defined("tojson", value)
    width = None if indent is None else _check_integer("tojson", indent, 0, 8)
    text = JsonText(json.dumps(value, ensure_ascii=False, indent=width))
    budget.add_steps(len(text) // 16)
    return text


def _int(_: RenderBudget, value: Any, default: Any = 0) -> Any:
    _check_defined("int", value)
    try:
        number = int(value) if isinstance(value, str | int | float) else default
    except (ValueError, OverflowError):
        try:
            number = int(float(value))
        except (ValueError, OverflowError):
            return default
    return number if not isinstance(number, int) or -(2**63) <= number < 2**63 else default


def _float(_: RenderBudget, value: Any, default: Any = 0.0) -> Any:
    _check_defined("float", value)
    try:
        number = float(value) if isinstance(value, str | int | float) else default
    except (ValueError, OverflowError):
        return default
    return number if not isinstance(number, float) or math.isfinite(number) else default


def _round(_: RenderBudget, value: Any, precision: Any = 0, method: Any = "common") -> Any:
    places = _check_integer("round", precision, 0, _PRECISION_LIMIT)
    if not is_number(value):
        raise TypeMismatch("the filter 'round' needs a number")
    if method not in ("common", "ceil", "floor"):
        raise TypeMismatch("the filter 'round' needs 'common', 'ceil' or 'floor' as its method")
    if method == "common":
        return round(value, places)
    try:
        return (math.ceil if method == "ceil" else math.floor)(value * 10**places) / 10**places
    except OverflowError:
        raise TypeMismatch("the filter 'round' needs a smaller number") from None


def _abs(_: RenderBudget, value: Any) -> Any:
    if not is_number(value):
        raise TypeMismatch("the filter 'abs' needs a number")
    return abs(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": _abs,
    "capitalize": _capitalize,
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "float": _float,
    "indent": _indent,
    "int": _int,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _lower,
    "map": _map,
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "string": _string,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "upper": _upper,
}
CONSTANT_TIME_FILTERS = frozenset({"count", "d", "default", "first", "last", "length"})
"""The filters whose work does not grow with the value."""
LIST_FILTERS = frozenset({"first", "join", "last", "map", "reverse"})
"""The filters of lists: a variable that one of them is applied to is a list. `length` is also for texts."""

TESTS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: not isinstance(value, Undefined),
    "even": lambda value: _remainder("even", value) == 0,
    "false": lambda value: value is False,
    "float": lambda value: isinstance(value, float),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "iterable": lambda value: isinstance(value, str | list | tuple | Mapping | Undefined),
    "mapping": lambda value: isinstance(value, Mapping),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float),
    "odd": lambda value: _remainder("odd", value) == 1,
    "sequence": lambda value: isinstance(value, str | list | tuple | Mapping | Undefined),
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
    "undefined": lambda value: isinstance(value, Undefined),
}


def _remainder(name: str, value: Any) -> Any:
    if not is_number(value):
        raise TypeMismatch(f"the test '{name}' needs a number")
    return value % 2
