"""What a partial success answers: how many were rejected, and why."""

from collections.abc import Mapping


def rejection_message(errors: Mapping[str, int], noun: str) -> str:
    """Return the message of a partial success, such as `2 spans were rejected: no valid span id (2)`; empty for none."""
    if not errors:
        return ""
    reasons = "; ".join(f"{reason} ({count})" for reason, count in errors.items())
    return f"{sum(errors.values())} {noun} were rejected: {reasons}"
