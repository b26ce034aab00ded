"""Redaction of a JSON value: its texts, the keys of its objects, and numbers that are written like a card number."""

from collections.abc import Callable
from typing import Any

RedactText = Callable[[str], tuple[str, int]]
_SHORTEST_NUMBER = 10**8


def redact_json(value: Any, redact: RedactText) -> tuple[Any, int]:
    """Return a JSON value whose texts are redacted, and the number of passages.

    Args:
        value: of texts, numbers, lists and objects.
        redact: redacts one text.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list | tuple):
        items = [redact_json(item, redact) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = [(redact(str(key)), redact_json(item, redact)) for key, item in value.items()]
        return {key: item for (key, _), (item, _) in pairs}, sum(first + second for (_, first), (_, second) in pairs)
    if isinstance(value, int | float) and abs(value) >= _SHORTEST_NUMBER:
        text, count = redact(str(value))
        return (text, count) if count else (value, 0)
    return value, 0
