"""Figures as reports write them, and texts of others made fit to be shown: bounded, and without what is unseen."""

import json
import re
from collections.abc import Mapping
from typing import Any

# Controls, halves of pairs, and what is invisible or turns the direction of reading.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


def format_number(value: float, *, signed: bool = False) -> str:
    """Write a figure with three digits and a true minus."""
    return f"{value:{'+' if signed else ''}.3f}".replace("-", "−")


def format_interval(of: Mapping[str, Any], *, signed: bool = False) -> str:
    """Write an estimate with its interval."""
    estimate, low, high = (format_number(of[end], signed=signed) for end in ("estimate", "low", "high"))
    return f"{estimate} [{low}, {high}]"


def format_p_value(value: float | None) -> str:
    """Write a p-value; small ones by their bound."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_percent(level: float) -> str:
    """Write a confidence level."""
    return f"{level * 100:.4g} %"


def format_money(value: float | None) -> str:
    """Write US dollars, with as many digits as small amounts need."""
    return "" if value is None else f"${value:.2f}" if value >= 1 or value == 0 else f"${value:.2g}"


def format_duration(value: float | None) -> str:
    """Write a duration."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def visible_text(text: str) -> str:
    """Write what is unseen in a text as its escapes; lines and tabs stay."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def truncate(text: str, most: int) -> str:
    """Give the beginning of a text, and say how much is left out."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def format_variables(given: Mapping[str, Any] | None) -> str:
    """Write a case's variables: one alone by its value, several by name, a line each."""
    if not given:
        return ""
    if len(given) == 1:
        return format_value(next(iter(given.values())))
    return "\n".join(f"{name}: {format_value(one)}" for name, one in given.items())


def format_value(of: Any) -> str:
    """Write a JSON value; a text as it is."""
    return of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)
