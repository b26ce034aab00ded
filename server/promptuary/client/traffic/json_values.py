"""Any Python value as JSON that the server accepts: nothing is raised for values that have no form in JSON."""

import math
from collections.abc import Mapping, Sequence, Set
from datetime import date
from typing import Any

from promptuary.prompt.text import replace_refused

DEPTH_LIMIT = 40
"""The server accepts 64 levels; the rest is for the objects around a value."""
_INTEGER_LIMIT = 2**63
_REPRESENTED = 2000


def to_json(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON: message objects by their fields, others as texts, and null for what is not a number."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return replace_refused(str.__str__(value))
    if isinstance(value, int):
        return int(value) if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > DEPTH_LIMIT:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {replace_refused(str(name)): to_json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_json(item, depth + 1) for item in value]
    return _object_to_json(value, depth)


def _object_to_json(value: Any, depth: int) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return to_json(dump(), depth + 1)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    return replace_refused(str(value)[:_REPRESENTED])
