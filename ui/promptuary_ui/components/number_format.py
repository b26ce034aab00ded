"""Numbers as text: with a minus sign, a unit, and only the significant digits."""

from datetime import datetime

from promptuary_ui.wire.runs import IntervalFigures

UNKNOWN = "not known"


def format_score(value: float, *, signed: bool = False) -> str:
    """Format a score or a difference of scores with three decimals."""
    return format(value, "+.3f" if signed else "z.3f").replace("-", "−")


def format_interval(interval: IntervalFigures | None, *, signed: bool = False) -> str:
    """Format an estimate with its interval."""
    if interval is None:
        return UNKNOWN
    estimate, low, high = (format_score(value, signed=signed) for value in (interval.estimate, interval.low, interval.high))
    return f"{estimate}  [{low}, {high}]"


def format_p_value(value: float | None) -> str:
    """Format a p-value; empty for None."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_usd(value: float | None) -> str:
    """Return US dollars as `promptuary.prompt.text.format_usd` writes them; empty where they are not known."""
    if value is None:
        return ""
    exponent = int(f"{abs(value):.2e}".partition("e")[2]) if value else 0
    whole, _, fraction = f"{abs(value):,.{max(2, 2 - exponent)}f}".partition(".")
    return f"{'-' if value < 0 else ''}${whole}.{fraction[:2]}{fraction[2:].rstrip('0')}"


def format_latency(milliseconds: float | None) -> str:
    """Format a latency in milliseconds or seconds; empty for None."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def format_duration(start: datetime | None, end: datetime | None) -> str:
    """Format a duration in its two largest units; empty where an end is unknown."""
    if start is None or end is None:
        return ""
    seconds = max(0, round((end - start).total_seconds()))
    if seconds < 60:
        return f"{seconds} s" if seconds else "under 1 s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_count(value: int | None) -> str:
    """Format a number with thousands separators; empty for None."""
    return "" if value is None else f"{value:,}"
