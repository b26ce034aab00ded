"""Figures as reports write them, and texts of others made fit to be shown: bounded, and without what is unseen."""

import json
from collections.abc import Mapping
from typing import Any

from promptuary.prompt.text import format_usd


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
    """Return an amount of US dollars as text, empty where it is not known."""
    return "" if value is None else format_usd(value)


def format_duration(value: float | None) -> str:
    """Write a duration."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


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
