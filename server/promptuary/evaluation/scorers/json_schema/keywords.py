"""The keywords that are evaluated otherwise than by the library: with JavaScript's patterns, formats, and within limits.

The library searches patterns by Python's `re`, which has other syntax and no time limit, leaves formats to its own loose
checks, and compares the items of a list pairwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.json_schema.formats import Format, find_format
from promptuary.evaluation.scorers.json_schema.limits import REFERENCE_STEPS, count_steps, search
from promptuary.evaluation.scorers.json_schema.walk import REFERENCES
from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern
from promptuary.evaluation.scorers.patterns.pattern import JavaScriptPattern, compile_javascript
from promptuary.prompt.canonical_json import json_equal, json_identity
from promptuary.prompt.errors import Invalid
from promptuary.prompt.json_schema.jsonschema_package import jsonschema

Errors = Iterator[jsonschema.ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Iterable[jsonschema.ValidationError] | None]
CountedKeyword = Callable[[Any, Any, Any, Any], Errors]


def counted_keywords(keywords: Mapping[str, Keyword]) -> dict[str, CountedKeyword]:
    """Return keywords that count the steps of each evaluation."""

    def counted(keyword: Keyword, steps: int) -> CountedKeyword:
        def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
            count_steps(steps)
            return iter(keyword(validator, value, instance, schema) or ())

        return apply

    return {name: counted(keyword, REFERENCE_STEPS if name in REFERENCES else 1) for name, keyword in keywords.items()}


def own_keywords(formats: Mapping[str, Format]) -> dict[str, Keyword]:
    """Return the keywords of this module; `format` knows these formats."""

    def check_format(validator: Any, name: str, instance: Any, schema: Any) -> Errors:
        if not find_format(name, formats).accepts(instance):
            yield jsonschema.ValidationError(f"does not have the format {name}")

    return {
        "additionalProperties": _additional_properties,
        "const": _const,
        "enum": _enum,
        "format": check_format,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "uniqueItems": _unique_items,
    }


def with_nullable(type_keyword: Keyword) -> Keyword:
    """Return the keyword `type` with OpenAPI's `nullable` beside it."""

    def check_type(validator: Any, types: Any, instance: Any, schema: Any) -> Any:
        if instance is None and isinstance(schema, dict) and schema.get("nullable") is True:
            return ()
        return type_keyword(validator, types, instance, schema)

    return check_type


@lru_cache(maxsize=1024)
def compile_schema_pattern(source: str) -> JavaScriptPattern:
    """Compile a pattern of a schema: JavaScript's with the flag `u`, else RE2's own, as in `(?i)yes`.

    Raises:
        InvalidPattern: for what is neither.
        Invalid: for one that is longer than the limit.
    """
    try:
        return compile_javascript(source, unicode=True)
    except InvalidPattern as error:
        try:
            return JavaScriptPattern(source, True, re2_pattern.compile_pattern(source))
        except Invalid:
            raise error from None


def _matches(source: str, text: str) -> bool:
    return search(compile_schema_pattern(source), text)


def _pattern(validator: Any, source: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not _matches(source, instance):
        yield jsonschema.ValidationError("does not match the pattern")


def _pattern_properties(validator: Any, patterns: JsonObject, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, dict):
        for source, subschema in patterns.items():
            for name, value in instance.items():
                if _matches(source, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=source)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: JsonObject) -> Errors:
    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name not in named and not any(_matches(source, name) for source in patterns):
            yield from validator.descend(value, subschema, path=name)


def _const(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if not json_equal(value, instance):
        yield jsonschema.ValidationError("is another value")


def _enum(validator: Any, values: list[Any], instance: Any, schema: Any) -> Errors:
    if not any(json_equal(value, instance) for value in values):
        yield jsonschema.ValidationError("is none of the values")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Errors:
    if unique is True and isinstance(instance, list) and len({json_identity(item) for item in instance}) < len(instance):
        yield jsonschema.ValidationError("has an item twice")
