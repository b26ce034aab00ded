"""Equality of JSON values."""

from collections.abc import Mapping
from typing import Any


def json_equal(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal as JSON has it: 1 equals 1.0 and does not equal true."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(json_equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)
