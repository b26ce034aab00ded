"""Preconditions of writes, as a request states them."""

from promptuary.core.preconditions import UNCONDITIONAL, Preconditions, parse_preconditions


def if_match(revision: int | None) -> Preconditions:
    """Return the condition that a label still has this revision; None makes no condition."""
    return UNCONDITIONAL if revision is None else parse_preconditions([f'"{revision}"'], [])
