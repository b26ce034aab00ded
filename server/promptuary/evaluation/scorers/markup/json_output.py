"""Scorers for outputs that are JSON, or contain some, and for whether that fits a schema."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast, get_args

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.json_schema.schema import Dialect, JsonSchema, compile_schema
from promptuary.evaluation.scorers.markup.strict_json import STRICT_DECODER, ObjectAttempts
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerConfig, ScorerSettings, ScorerType, ScorerValue
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml

LENIENT_LIMIT = 20_000
_SLASHES = re.compile(r"\"(?:\\.|[^\"\\\n])*(?:\"|$)|(?<![a-zA-Z])'[^'\n]*(?:'|$)|//+", re.MULTILINE)


@dataclass(frozen=True)
class JsonConfig(ScorerConfig):
    """The setting `dialect`: by whose rules the schema is read; `ajv-draft-07` are those of promptfoo."""

    dialect: Dialect = "standard"

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Parse `dialect`, the only setting."""
        dialect = config.get("dialect")
        if config.keys() != {"dialect"} or not isinstance(dialect, str) or dialect not in get_args(Dialect):
            raise Invalid(f"takes dialect alone, which is one of {', '.join(get_args(Dialect))}")
        return cls(cast("Dialect", dialect))


@dataclass(frozen=True)
class SchemaValue(ScorerValue):
    """An optional JSON Schema, by the standard.

    Attributes:
        schema: compiled; None where every JSON passes; the error of one that only fails when it is used.
    """

    schema: JsonSchema | Invalid | None

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Compile the schema, if there is one."""
        return cls(None if value is None else compile_schema(value))

    def check(self) -> None:
        """Raise the error of a schema that is none.

        Raises:
            Invalid: the error.
        """
        if isinstance(self.schema, Invalid):
            raise self.schema

    async def error(self, value: Any) -> str | None:
        """Return where a JSON value does not fit the schema, or None; long evaluations are made in a thread.

        Raises:
            Invalid: for a schema that is none, or that reaches a limit on this value.
        """
        self.check()
        if not isinstance(self.schema, JsonSchema):
            return None
        return await asyncio.to_thread(self.schema.error, value) if self.schema.backtracks else self.schema.error(value)


class AjvSchemaValue(SchemaValue):
    """An optional JSON Schema by Ajv's rules; nothing, false and an empty text are none, as in promptfoo."""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Compile the schema, if there is one."""
        if value is None or value is False or value in ("", 0):
            return cls(None)
        if value is True:
            raise Invalid("must be a schema: an object, or a text of one")
        return cls(compile_schema(value, "ajv-draft-07"))


class CaseAjvSchemaValue(AjvSchemaValue):
    """As `AjvSchemaValue`, for a case, where a schema that Ajv refuses is an error of that case alone."""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Compile the schema, or keep its error."""
        try:
            return super().parse(value)
        except Invalid as error:
            return cls(error)


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
            if self.inverse:
                self.schema.check()  # an invalid schema never passes
            return self.pass_or_fail(False, "the output is not JSON")
        error = await self.schema.error(parsed.value)
        return self.pass_or_fail(error is None, f"the JSON {error}" if error else "the output is JSON")


@dataclass(frozen=True)
class ContainsJson(BaseScorer):
    """Passes if the output contains a JSON object (a list alone is none) that fits the schema if there is one.

    Attributes:
        schema: of the object.
        braces_only: whether an object ends where its braces are balanced, also those in texts, as in promptfoo.
    """

    schema: SchemaValue
    braces_only: bool = False

    async def score(self, sample: ScorerInput) -> Score:
        """Check the objects from left to right."""
        if self.inverse:
            self.schema.check()
        error: str | None = "has no JSON object"
        for candidate in find_objects(sample.output, braces_only=self.braces_only):
            error = await self.schema.error(candidate)
            if error is None:
                break
        return self.pass_or_fail(error is None, f"the output {error}" if error else "the output has a JSON object")


def parse_json(text: str) -> ParsedJson | None:
    """Parse a text as JSON; return None for what is no JSON, NaN and Infinity included.

    Raises:
        Invalid: for a text that is nested too deep to be parsed, so that it is not known.
    """
    try:
        return ParsedJson(STRICT_DECODER.decode(text))
    except ValueError:
        return None
    except RecursionError:
        raise Invalid("the output is nested too deep to be parsed as JSON") from None


def find_objects(text: str, *, braces_only: bool = False) -> Iterator[JsonObject]:
    """Yield the outermost JSON objects in a text, from left to right.

    Objects that are nearly JSON, as models write them (bare keys, missing last braces, comments), count as long as such parts
    have 20,000 characters in all, so that no output takes long.

    Args:
        text: is searched.
        braces_only: whether an object ends where its braces are balanced, also those in texts, as in promptfoo; else strict
            JSON is read to its end first.

    Raises:
        Invalid: at the end, where parts were left out because they are too long.
    """
    ends, attempts = _object_ends(text), ObjectAttempts()
    lenient_left = LENIENT_LIMIT
    start = text.find("{")
    while 0 <= start < len(text) - 1 and not attempts.exhausted:  # a brace that ends the text begins nothing
        end, missing_braces = ends[start]
        part = text[start:end] + "}" * missing_braces
        parsed, strict_end = attempts.parse(part) if braces_only else attempts.parse(text, start, end)
        if parsed is None:
            lenient_left -= end - start
            parsed = _parse_lenient(part) if lenient_left >= 0 else None
        elif not braces_only:
            end = strict_end
        if parsed is not None:
            yield parsed
        start = text.find("{", start + 1 if parsed is None else end)
    if lenient_left < 0 or attempts.exhausted:
        raise Invalid(f"the output has more than {LENIENT_LIMIT:,} characters in braces that are no strict JSON")


def _parse_lenient(text: str) -> JsonObject | None:
    """Parse a text in braces as YAML, of which JSON is the strict half."""
    try:
        value = parse_yaml(_SLASHES.sub(_comment, text), "the output", core=True).value
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


def _comment(match: re.Match[str]) -> str:
    """Return YAML's comment sign in place of JavaScript's; quoted texts and addresses stay as they are."""
    token = match.group()
    if not token.startswith("//"):
        return token
    word = match.string[: match.end()].rsplit(maxsplit=1)[-1]
    return token if "://" in word else "#" * (len(token) // 2)


def _value_of(config: JsonConfig, in_case: bool) -> type[SchemaValue]:
    """Return the class that parses the value by the rules of a dialect."""
    if config.dialect == "standard":
        return SchemaValue
    return CaseAjvSchemaValue if in_case else AjvSchemaValue


def _is_json(settings: ScorerSettings[SchemaValue, JsonConfig], _: ScorerDependencies) -> IsJson:
    return IsJson(*settings.base, settings.value)


def _contains_json(settings: ScorerSettings[SchemaValue, JsonConfig], _: ScorerDependencies) -> ContainsJson:
    return ContainsJson(*settings.base, settings.value, braces_only=settings.config.dialect != "standard")


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-json": ScorerType(SchemaValue, _is_json, config=JsonConfig, value_of=_value_of),
    "contains-json": ScorerType(SchemaValue, _contains_json, config=JsonConfig, value_of=_value_of),
}
