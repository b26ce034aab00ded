"""Figures as reports write them, and foreign texts at a bounded length."""

import json
from collections.abc import Mapping

from promptuary.evaluation.summary_model import IntervalFigures
from promptuary.prompt.text import format_usd


def format_number(value: float, *, signed: bool = False) -> str:
    """Write a figure with three digits and a true minus."""
    return f"{value:{'+' if signed else ''}.3f}".replace("-", "−")


def format_interval(interval: IntervalFigures, *, signed: bool = False) -> str:
    """Write an estimate with its interval."""
    bounds = (interval.estimate, interval.low, interval.high)
    estimate, low, high = (format_number(value, signed=signed) for value in bounds)
    return f"{estimate} [{low}, {high}]"


def format_cases(interval: IntervalFigures) -> str:
    """Write the number of cases, of weighted ones also how many of equal weight have the same information."""
    return f"{interval.n}" if interval.effective is None else f"{interval.n}, weighted, as {interval.effective:.0f}"


def format_p_value(value: float | None) -> str:
    """Write a p-value; a small one by its bound, and none as an empty text."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_percent(level: float) -> str:
    """Write a confidence level in (0, 1) as percent."""
    return f"{level * 100:.4g} %"


def format_money(value: float | None) -> str:
    """Return an amount of US dollars as text, empty where it is not known."""
    return "" if value is None else format_usd(value)


def format_duration(value: float | None) -> str:
    """Write a duration in milliseconds, from one second on in seconds; empty where it is not known."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def truncate(text: str, most: int) -> str:
    """Cut a text to its first `most` characters, and append how many are left out."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def format_variables(variables: Mapping[str, object] | None) -> str:
    """Write a case's variables: a single one by its value, several by name, a line each."""
    if not variables:
        return ""
    if len(variables) == 1:
        return format_value(next(iter(variables.values())))
    return "\n".join(f"{name}: {format_value(value)}" for name, value in variables.items())


def format_value(value: object) -> str:
    """Write a JSON value; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
