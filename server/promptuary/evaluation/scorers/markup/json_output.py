"""Scorers that ask whether an output is JSON, or holds some, and whether that fits a schema."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema.protocols import Validator

from promptuary.evaluation.scorers.json_schema import json_schema_validator, schema_error
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import SCHEMA, ScorerType
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

LENIENT_LIMIT = 20_000


@dataclass(frozen=True)
class IsJson(BaseScorer):
    """The whole output is one JSON value (any kind), and fits the schema if there is one."""

    schema: Validator | None

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output as it is."""
        found = parse_json(sample.output)
        if found is None:
            return self.answer(False, "the output is not JSON")
        fault = schema_error(self.schema, found[0]) if self.schema else None
        return self.answer(fault is None, f"the JSON {fault}" if fault else "the output is JSON")


@dataclass(frozen=True)
class ContainsJson(BaseScorer):
    """The output holds a JSON object (a list alone is none), and one of them fits the schema if there is one."""

    schema: Validator | None

    async def score(self, sample: ScorerInput) -> Score:
        """Look at the objects from left to right."""
        fault: str | None = "has no JSON object"
        for found in find_objects(sample.output):
            fault = schema_error(self.schema, found) if self.schema else None
            if fault is None:
                break
        return self.answer(fault is None, f"the output {fault}" if fault else "the output has a JSON object")


def parse_json(text: str) -> tuple[Any] | None:
    """Give the JSON value of a text, in a tuple since it may be null; None for what is no JSON, NaN and Infinity too."""
    try:
        return (json.loads(text, parse_constant=_refused),)
    except (ValueError, RecursionError):
        return None


def find_objects(text: str) -> Iterator[dict[str, Any]]:
    """Give the outermost objects in a text, from left to right.

    What is nearly JSON counts, as models write it (bare keys, last braces lost), as long as such parts have 20,000
    characters in all; beyond that only strict JSON is found, so that no output takes long.
    """
    ends = _ends(text)
    left = LENIENT_LIMIT
    at = text.find("{")
    while at >= 0:
        end, missing = ends[at]
        found = None
        try:
            found, end = _STRICT.raw_decode(text, at)
        except (ValueError, RecursionError):
            left -= end - at
            found = _lenient(text[at:end] + "}" * missing) if left >= 0 else None
        if found is not None:
            yield found
        at = text.find("{", at + 1 if found is None else end)


def _lenient(part: str) -> dict[str, Any] | None:
    """Read a part in braces as YAML, of which JSON is the strict half."""
    try:
        found = parse_yaml(part, "the output").value
    except InvalidFile:
        return None
    return found if isinstance(found, dict) else None


def _ends(text: str) -> dict[int, tuple[int, int]]:
    """Give, for each opening brace, where it closes; or the text's end, and how many braces are missing there."""
    ends: dict[int, tuple[int, int]] = {}
    open_at: list[int] = []
    for at, character in enumerate(text):
        if character == "{":
            open_at.append(at)
        elif character == "}" and open_at:
            ends[open_at.pop()] = (at + 1, 0)
    for missing, at in enumerate(reversed(open_at), 1):
        ends[at] = (len(text), missing)
    return ends


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refused)


def _schema(value: Any) -> Validator | None:
    return None if value is None else json_schema_validator(value)


SCORER_TYPES: dict[str, ScorerType] = {
    "is-json": ScorerType(SCHEMA, lambda spec, _: IsJson(spec.metric, spec.weight, spec.inverse, _schema(spec.value))),
    "contains-json": ScorerType(
        SCHEMA, lambda spec, _: ContainsJson(spec.metric, spec.weight, spec.inverse, _schema(spec.value))
    ),
}
