"""The filters and tests that Jinja templates may use: those that only make texts and lists, each within the render's budget.

They do what Jinja's own of the same name do. Two differences are meant: a value is shown as in every format (`true`, not
`True`), and `tojson` writes plain JSON, for a prompt is no web page.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.value import UNDEFINED, TypeMismatch, is_number, to_text

_WIDTH_LIMIT = 100
_PRECISION_LIMIT = 15
_WORD = re.compile(r"([-\s({\[<]+)")


def _list(name: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if value is UNDEFINED:
        return []
    if isinstance(value, list | tuple):
        return value
    raise TypeMismatch(f"the filter '{name}' takes a list")


def _there(name: str, value: Any) -> None:
    if value is UNDEFINED:
        raise TypeMismatch(f"the filter '{name}' takes a value, and there is none")


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise TypeMismatch(f"the filter '{name}' takes a whole number from {least} to {most} there")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeMismatch(f"the filter '{name}' takes a text there")
    return value


def _member(item: Any, attribute: str) -> Any:
    for part in attribute.split("."):
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
    budget.step(len(text) // 4)
    return "".join(part[0].upper() + part[1:].lower() for part in _WORD.split(text) if part)


def _trim(_: RenderBudget, value: Any, chars: Any = None) -> str:
    return to_text(value).strip(None if chars is None else _text("trim", chars))


def _string(_: RenderBudget, value: Any) -> str:
    return to_text(value)


def _replace(budget: RenderBudget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    text, gone, there = to_text(value), _text("replace", old), _text("replace", new)
    most = -1 if count is None else _whole("replace", count, 0, 2**31)
    found = text.count(gone) if most < 0 else min(most, text.count(gone))
    budget.hold(len(text) + found * max(0, len(there) - len(gone)))
    return text.replace(gone, there, most)


def _indent(budget: RenderBudget, value: Any, width: Any = 4, first: Any = False, blank: Any = False) -> str:
    _there("indent", value)
    margin = " " * _whole("indent", width, 0, _WIDTH_LIMIT)
    text = to_text(value) + "\n"
    lines = text.splitlines()
    budget.step(len(lines))
    budget.hold(len(text) + len(lines) * len(margin))
    if blank:
        result = ("\n" + margin).join(lines)
    else:
        result = "\n".join([lines[0], *(margin + line if line else line for line in lines[1:])])
    return margin + result if first else result


def _truncate(_: RenderBudget, value: Any, length: Any = 255, killwords: Any = False, end: Any = "...", leeway: Any = 5) -> Any:
    if value is UNDEFINED:
        return value
    text, mark = to_text(value), _text("truncate", end)
    most = _whole("truncate", length, len(mark), 2**31)
    if len(text) <= most + _whole("truncate", leeway, 0, 2**31):
        return text
    kept = text[: most - len(mark)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + mark


def _join(budget: RenderBudget, value: Any, d: Any = "", attribute: Any = None) -> str:
    items, between = _list("join", value), _text("join", d)
    if attribute is not None:
        items = _map(budget, items, attribute)
    texts: list[str] = []
    for item in items:
        texts.append(to_text(item))
        budget.step(1 + len(texts[-1]) // 16)
    budget.hold(sum(map(len, texts)) + len(between) * max(0, len(texts) - 1))
    return between.join(texts)


def _map(budget: RenderBudget, value: Any, attribute: Any) -> list[Any]:
    items, name = _list("map", value), _text("map", attribute)
    budget.step(len(items) * (1 + name.count(".")))
    return [_member(item, name) for item in items]


def _first(_: RenderBudget, value: Any) -> Any:
    items = value if isinstance(value, str) else _list("first", value)
    return items[0] if items else UNDEFINED


def _last(_: RenderBudget, value: Any) -> Any:
    items = value if isinstance(value, str) else _list("last", value)
    return items[-1] if items else UNDEFINED


def _length(_: RenderBudget, value: Any) -> int:
    if isinstance(value, str | Mapping):
        return len(value)
    return len(_list("length", value))


def _reverse(_: RenderBudget, value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else list(_list("reverse", value)[::-1])


def _items(budget: RenderBudget, value: Any) -> list[list[Any]]:
    if value is UNDEFINED:
        return []
    if not isinstance(value, Mapping):
        raise TypeMismatch("the filter 'items' takes an object")
    budget.step(len(value))
    return [[key, item] for key, item in value.items()]


def _default(_: RenderBudget, value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if value is UNDEFINED or (boolean and not value) else value


def _tojson(budget: RenderBudget, value: Any, indent: Any = None) -> str:
    _there("tojson", value)
    width = None if indent is None else _whole("tojson", indent, 0, 8)
    text = json.dumps(value, ensure_ascii=False, indent=width)
    budget.step(len(text) // 16)
    return text


def _int(_: RenderBudget, value: Any, default: Any = 0) -> Any:
    _there("int", value)
    try:
        number = int(value) if isinstance(value, str | int | float) else default
    except (ValueError, OverflowError):
        try:
            number = int(float(value))
        except (ValueError, OverflowError):
            return default
    return number if not isinstance(number, int) or -(2**63) <= number < 2**63 else default


def _float(_: RenderBudget, value: Any, default: Any = 0.0) -> Any:
    _there("float", value)
    try:
        number = float(value) if isinstance(value, str | int | float) else default
    except (ValueError, OverflowError):
        return default
    return number if not isinstance(number, float) or math.isfinite(number) else default


def _round(_: RenderBudget, value: Any, precision: Any = 0, method: Any = "common") -> Any:
    places = _whole("round", precision, 0, _PRECISION_LIMIT)
    if not is_number(value):
        raise TypeMismatch("the filter 'round' takes a number")
    if method not in ("common", "ceil", "floor"):
        raise TypeMismatch("the filter 'round' goes by 'common', 'ceil' or 'floor'")
    if method == "common":
        return round(value, places)
    try:
        return (math.ceil if method == "ceil" else math.floor)(value * 10**places) / 10**places
    except OverflowError:
        raise TypeMismatch("the filter 'round' takes a smaller number") from None


def _abs(_: RenderBudget, value: Any) -> Any:
    if not is_number(value):
        raise TypeMismatch("the filter 'abs' takes a number")
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
"""The filters that a list goes through; `length` is a text's too."""

TESTS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: value is not UNDEFINED,
    "even": lambda value: _remainder("even", value) == 0,
    "false": lambda value: value is False,
    "float": lambda value: isinstance(value, float),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "iterable": lambda value: value is UNDEFINED or isinstance(value, str | list | tuple | Mapping),
    "mapping": lambda value: isinstance(value, Mapping),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float),
    "odd": lambda value: _remainder("odd", value) == 1,
    "sequence": lambda value: value is UNDEFINED or isinstance(value, str | list | tuple | Mapping),
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
    "undefined": lambda value: value is UNDEFINED,
}


def _remainder(name: str, value: Any) -> Any:
    if not is_number(value):
        raise TypeMismatch(f"the test '{name}' takes a number")
    return value % 2
