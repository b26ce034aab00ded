"""Outputs that are there already: of a stored dataset, or a variable of the case itself. Nothing is called."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationUnusable
from promptuary.evaluation.targets.provider_response import stated_calls

OUTPUT = "output"


@dataclass(frozen=True)
class RecordedOutputs:
    """The outputs of a dataset of outputs, by the case's id; implements `Application`."""

    outputs: Mapping[str, Case]

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Return the case's output.

        Raises:
            ApplicationUnusable: for a case without one.
        """
        recorded = self.outputs.get(question.case.id)
        if recorded is None or OUTPUT not in recorded.vars:
            raise ApplicationUnusable(f"there is no output for the case '{question.case.id}'")
        if isinstance(version := recorded.vars.get("version"), str) and version:
            detail["version"] = version[:100]
        return recorded_output(recorded.vars)

    async def close(self) -> None:
        """Release nothing."""


@dataclass(frozen=True)
class OutputColumn:
    """A variable of each case that is its output; implements `Application`."""

    column: str

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Return the variable's value.

        Raises:
            ApplicationUnusable: for a case without it.
        """
        if self.column not in question.case.vars:
            raise ApplicationUnusable(f"the case '{question.case.id}' has no variable '{self.column}'")
        return ApplicationOutput(question.case.vars[self.column])

    async def close(self) -> None:
        """Release nothing."""


def recorded_output(fields: JsonObject) -> ApplicationOutput:
    """Return an output with the figures beside it; a figure of another type, or that is no figure, counts as not known."""
    tokens = fields.get("tokens")
    counts = {name: _count(tokens.get(name)) for name in ("input", "output")} if isinstance(tokens, Mapping) else {}
    calls = fields.get("tool_calls")
    return ApplicationOutput(
        value=fields.get(OUTPUT),
        latency_ms=_amount(fields.get("latency_ms")),
        tokens={name: count for name, count in counts.items() if count is not None} if all_known(counts) else None,
        cost=_amount(fields.get("cost")),
        tool_calls=stated_calls(calls),
        finish_reason=reason if isinstance(reason := fields.get("finish_reason"), str) else None,
        metadata=metadata if isinstance(metadata := fields.get("metadata"), Mapping) else {},
    )


def all_known(counts: Mapping[str, int | None]) -> bool:
    """Return whether there are counts, and all of them are known."""
    return bool(counts) and None not in counts.values()


def _amount(value: Any) -> float | None:
    """Return a number that is not negative, also one that a table has as a text."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _count(value: Any) -> int | None:
    number = _amount(value)
    return None if number is None else int(number)
