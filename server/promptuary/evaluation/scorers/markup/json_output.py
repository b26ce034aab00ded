"""Scorers for outputs that are JSON, or contain some, and for whether that fits a schema."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from jsonschema.protocols import Validator
from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.json_schema import json_schema_validator, schema_error
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType, ScorerValue
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

LENIENT_LIMIT = 20_000


@dataclass(frozen=True)
class SchemaValue(ScorerValue):
    """An optional JSON Schema.

    Attributes:
        validator: of the schema; None where every JSON passes.
    """

    validator: Validator | None

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Compile the schema, if there is one."""
        return cls(None if value is None else json_schema_validator(value))

    def error(self, value: Any) -> str | None:
        """Return where a JSON value does not fit the schema, or None."""
        return schema_error(self.validator, value) if self.validator else None


@dataclass(frozen=True)
class ParsedJson:
    """A JSON value that was parsed; the value may be null."""

    value: Any


@dataclass(frozen=True)
class IsJson(BaseScorer):
    """Passes if the whole output is one JSON value (of any type), which fits the schema if there is one."""

    schema: SchemaValue

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output as it is."""
        parsed = parse_json(sample.output)
        if parsed is None:
            return self.pass_or_fail(False, "the output is not JSON")
        error = self.schema.error(parsed.value)
        return self.pass_or_fail(error is None, f"the JSON {error}" if error else "the output is JSON")


@dataclass(frozen=True)
class ContainsJson(BaseScorer):
    """Passes if the output contains a JSON object (a list alone is none) that fits the schema if there is one."""

    schema: SchemaValue

    async def score(self, sample: ScorerInput) -> Score:
        """Check the objects from left to right."""
        error: str | None = "has no JSON object"
        for candidate in find_objects(sample.output):
            error = self.schema.error(candidate)
            if error is None:
                break
        return self.pass_or_fail(error is None, f"the output {error}" if error else "the output has a JSON object")


def parse_json(text: str) -> ParsedJson | None:
    """Parse a text as JSON; return None for what is no JSON, NaN and Infinity included."""
    try:
        return ParsedJson(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        return None


def find_objects(text: str) -> Iterator[JsonObject]:
    """Yield the outermost JSON objects in a text, from left to right.

    Objects that are nearly JSON, as models write them (bare keys, missing last braces), count as long as such parts have
    20,000 characters in all. Beyond that only strict JSON is found, so that no output takes long.
    """
    ends = _object_ends(text)
    lenient_left = LENIENT_LIMIT
    start = text.find("{")
    while start >= 0:
        end, missing_braces = ends[start]
        parsed = None
        try:
            parsed, end = _STRICT_DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            lenient_left -= end - start
            parsed = _parse_lenient(text[start:end] + "}" * missing_braces) if lenient_left >= 0 else None
        if parsed is not None:
            yield parsed
        start = text.find("{", start + 1 if parsed is None else end)


def _parse_lenient(text: str) -> JsonObject | None:
    """Parse a text in braces as YAML, of which JSON is the strict half."""
    try:
        value = parse_yaml(text, "the output").value
    except InvalidFile:
        return None
    return value if isinstance(value, dict) else None


def _object_ends(text: str) -> dict[int, tuple[int, int]]:
    """Map each opening brace to the position behind its closing one, or to the text's end and the number of missing braces."""
    ends: dict[int, tuple[int, int]] = {}
    open_braces: list[int] = []
    for position, character in enumerate(text):
        if character == "{":
            open_braces.append(position)
        elif character == "}" and open_braces:
            ends[open_braces.pop()] = (position + 1, 0)
    for missing, position in enumerate(reversed(open_braces), 1):
        ends[position] = (len(text), missing)
    return ends


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_STRICT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _schema_type(scorer: Callable[[str, float, bool, SchemaValue], IsJson | ContainsJson]) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[SchemaValue, NoConfig], _: ScorerDependencies) -> IsJson | ContainsJson:
        return scorer(*settings.base, settings.value)

    return ScorerType(SchemaValue, build)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-json": _schema_type(IsJson),
    "contains-json": _schema_type(ContainsJson),
}
