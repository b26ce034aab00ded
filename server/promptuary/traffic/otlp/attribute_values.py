"""The values of attributes: texts that may be stored, counts, and JSON inside of texts."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from promptuary.prompt.text import refused_position, replace_refused
from promptuary.traffic.otlp.wire.spans import Unreadable

TEXT_LIMIT = 1000
"""Characters of a name or an id; a longer one is cut."""
COUNT_LIMIT = 2**53
DEPTH_LIMIT = 64
"""How deep JSON inside of a text may be nested."""
JSON_LIMIT = 4_000_000
"""Characters of JSON inside of a text."""
NUMBER_LIMIT = 1e15


class CutJson(Unreadable):
    """A text begins as JSON and is none, since it was cut on its way; or it is more than is read."""


def clean(text: str) -> str:
    """Return a text with U+FFFD in place of characters that no database stores."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return replace_refused(text)


def short_text(value: Any) -> str | None:
    """Return a name or an id; None for an empty one and for values that are none."""
    if isinstance(value, str):
        if len(value) > TEXT_LIMIT:
            value = value[:TEXT_LIMIT]
        return (value if value.isprintable() else clean(value)) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 2**63 else None
    return None


def unquoted(value: Any) -> Any:
    """Return a value without the JSON that MLflow and Langfuse put around a text, such as `"support.triage"`."""
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return parse_json(value)
        except CutJson:
            return value
    return value


def first_text(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these attributes that is a text."""
    for name in names:
        if name in attributes:
            value = attributes[name]
            # Nearly every value is a short plain text: the quick way for it.
            if type(value) is str and value and value[0] != '"' and len(value) <= TEXT_LIMIT and value.isprintable():
                return value
            if (text := short_text(unquoted(value))) is not None:
                return text
    return None


def count(value: Any) -> int | None:
    """Return a number of tokens; None for an unknown one, which is never 0."""
    if type(value) is int:
        return value if 0 <= value <= COUNT_LIMIT else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= COUNT_LIMIT else None


def first_count(attributes: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these attributes that is a number of tokens."""
    for name in names:
        if name in attributes and (number := count(attributes[name])) is not None:
            return number
    return None


def amount(value: Any) -> float | None:
    """Return a cost or a duration: a finite number that is not negative; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= NUMBER_LIMIT:
        return None
    return float(value)


def milliseconds(value: Any) -> float | None:
    """Return seconds as milliseconds."""
    seconds = amount(value)
    return None if seconds is None else seconds * 1000


def milliseconds_since(start: int, moment: int) -> float | None:
    """Return the milliseconds between two times in nanoseconds; None where one is unknown, or they are reversed."""
    return (moment - start) / 1e6 if start and moment and moment >= start else None


def nanoseconds(value: Any) -> int:
    """Return a date as nanoseconds since 1970; 0 for a text that is none."""
    if not isinstance(value, str):
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e9))


def parse_json(value: Any) -> Any:
    """Return what a text contains as JSON, the text itself where it does not begin as JSON, and other values as they are.

    NaN and infinite numbers become None.

    Raises:
        CutJson: for JSON that was cut, or that is nested too deep.
    """
    if not isinstance(value, str):
        return value
    start = value.lstrip()[:1]
    if start not in ("{", "[", '"'):
        return clean(value)
    if len(value) > JSON_LIMIT:
        raise CutJson("JSON beyond the limit")
    try:
        parsed = _decoder.decode(value)
    except (ValueError, RecursionError):
        if start == "[" and not _is_list(value):
            return clean(value)
        raise CutJson("JSON that was cut") from None
    if value.count("[") + value.count("{") > DEPTH_LIMIT and _depth(parsed) > DEPTH_LIMIT:
        raise CutJson("JSON that is nested too deep")
    # Only an escape brings in a character that the text itself does not have.
    if (
        "\\u0000" in value
        or "\\ud" in value
        or "\\uD" in value
        or (not value.isascii() and refused_position(value) is not None)
    ):
        return _cleaned(parsed)
    return parsed


def parse_or_none(value: Any) -> Any:
    """Return what a text contains as JSON; None where it was cut."""
    try:
        return parse_json(value)
    except CutJson:
        return None


def parse_object(value: Any) -> Mapping[str, Any]:
    """Return the JSON object that a text contains; an empty one for anything else."""
    parsed = parse_or_none(value) if value is not None else None
    return parsed if isinstance(parsed, dict) else {}


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


_decoder = json.JSONDecoder(parse_constant=lambda constant: None, parse_float=_finite)


def _is_list(text: str) -> bool:
    """Return whether a text that begins with a bracket can be a JSON list; many plain texts begin with one, too."""
    return text.lstrip()[1:].lstrip()[:1] in tuple('{["-]0123456789tfn')


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return depth


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value
