"""Scorers that ask whether an output is JSON, or holds some, and whether that fits a schema."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema.protocols import Validator

from promptuary.evaluation.scorers.schema import fault_of
from promptuary.evaluation.scorers.score import Question, Sample, Score
from promptuary.prompt.document import InvalidFile, read

OBJECT_LIMIT = 100_000


@dataclass(frozen=True)
class IsJson(Question):
    """The whole output is one JSON value (any kind), and fits the schema if there is one."""

    schema: Validator | None

    async def score(self, sample: Sample) -> Score:
        """Parse the output as it is."""
        found = parsed(sample.output)
        if found is None:
            return self.answer(False, "the output is not JSON")
        fault = fault_of(self.schema, found[0]) if self.schema else None
        return self.answer(fault is None, f"the JSON {fault}" if fault else "the output is JSON")


@dataclass(frozen=True)
class ContainsJson(Question):
    """The output holds a JSON object (a list alone is none), and one of them fits the schema if there is one."""

    schema: Validator | None

    async def score(self, sample: Sample) -> Score:
        """Look at the objects from left to right."""
        fault: str | None = "has no JSON object"
        for found in objects(sample.output):
            fault = fault_of(self.schema, found) if self.schema else None
            if fault is None:
                break
        return self.answer(fault is None, f"the output {fault}" if fault else "the output has a JSON object")


def parsed(text: str) -> tuple[Any] | None:
    """Give the JSON value of a text, in a tuple since it may be null; None for what is no JSON, NaN and Infinity too."""
    try:
        return (json.loads(text, parse_constant=_refused),)
    except (ValueError, RecursionError):
        return None


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Give the outermost objects in a text. What is nearly JSON counts, as models write it: bare keys, a lost last brace."""
    ends = _ends(text)
    at = text.find("{")
    while at >= 0:
        found, end = _object(text, at, ends[at])
        if found is not None:
            yield found
        at = text.find("{", end)


def _object(text: str, at: int, end: int) -> tuple[dict[str, Any] | None, int]:
    """Read the object that opens at `at`, strictly, then leniently up to where its braces close; and say where to go on."""
    try:
        found, end = _STRICT.raw_decode(text, at)
    except (ValueError, RecursionError):
        part = text[at : abs(end)] + ("}" if end < 0 else "")
        try:
            found = read(part, "the output").value if len(part) <= OBJECT_LIMIT else None
        except InvalidFile:
            found = None
        return (found, abs(end)) if isinstance(found, dict) else (None, at + 1)
    return found, end


def _ends(text: str) -> dict[int, int]:
    """Give where the braces that open at each place close; minus the text's length for one that never does."""
    ends: dict[int, int] = {}
    open_at: list[int] = []
    for at, character in enumerate(text):
        if character == "{":
            open_at.append(at)
            ends[at] = -len(text)
        elif character == "}" and open_at:
            ends[open_at.pop()] = at + 1
    return ends


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refused)
