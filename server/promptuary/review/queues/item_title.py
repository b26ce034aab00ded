"""How an item is named for people: by its case, and by how its input begins."""

from collections.abc import Mapping
from typing import Any

BEGINNING = 80
"""The number of characters of a beginning."""


def case_of(payload: Mapping[str, Any]) -> str | None:
    """Return the id of an item's case; None where it has none."""
    case = payload.get("case")
    return case if isinstance(case, str) and case else None


def beginning_of(payload: Mapping[str, Any]) -> str:
    """Return how an item's input begins, in one line, or its output where it has no input; an empty text for neither."""
    for part in ("input", "output"):
        text = " ".join(_first_text(payload.get(part)).split())
        if text:
            return text if len(text) <= BEGINNING else f"{text[: BEGINNING - 1].rstrip()}…"
    return ""


def _first_text(value: Any) -> str:
    """Return the first text in a value."""
    if isinstance(value, str):
        return value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((text for part in parts if (text := _first_text(part)).strip()), "")
