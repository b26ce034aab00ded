"""The limits of one evaluation of a schema: how many keywords are applied, and how long patterns are searched for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from promptuary.evaluation.scorers.patterns.pattern import JavaScriptPattern
from promptuary.prompt.errors import Invalid

STEP_LIMIT = 300_000
REFERENCE_STEPS = 30
"""How many other keywords take as long as following a reference."""
SEARCH_SECONDS = 1.0


class SchemaTooExpensive(Invalid):
    """An evaluation of a schema reached a limit, so that it is not known whether the value fits."""

    code = "schema_too_expensive"


@dataclass
class EvaluationLimits:
    """What is left of the limits of one evaluation.

    Attributes:
        steps: how many steps are left; most keywords are one.
        seconds: how long patterns that backtrack may still be searched for.
    """

    steps: int = STEP_LIMIT
    seconds: float = SEARCH_SECONDS


_LIMITS: ContextVar[EvaluationLimits | None] = ContextVar("schema_evaluation_limits", default=None)


@contextmanager
def limited_evaluation() -> Iterator[None]:
    """Apply limits to the evaluation of a schema in the block.

    Raises:
        SchemaTooExpensive: for references that lead back without an end.
    """
    token = _LIMITS.set(EvaluationLimits())
    try:
        yield
    except RecursionError:
        raise SchemaTooExpensive("the schema refers to itself without an end, or the value is nested too deep") from None
    finally:
        _LIMITS.reset(token)


def count_steps(steps: int) -> None:
    """Count the steps of a keyword.

    Raises:
        SchemaTooExpensive: at the limit.
    """
    limits = _LIMITS.get()
    if limits is not None:
        limits.steps -= steps
        if limits.steps < 0:
            raise SchemaTooExpensive(f"the schema takes more than {STEP_LIMIT:,} steps on this value")


def search(pattern: JavaScriptPattern, text: str) -> bool:
    """Return whether a pattern matches in a text, within the time that is left.

    Raises:
        PatternTooSlow: where one search takes too long.
        SchemaTooExpensive: where all of them together do.
    """
    limits = _LIMITS.get()
    if limits is None or not pattern.backtracks:
        return pattern.matches(text)
    if limits.seconds <= 0:
        raise SchemaTooExpensive(f"the schema's patterns take more than {SEARCH_SECONDS:g} s on this value")
    started = time.perf_counter()
    try:
        return pattern.matches(text)
    finally:
        limits.seconds -= time.perf_counter() - started
