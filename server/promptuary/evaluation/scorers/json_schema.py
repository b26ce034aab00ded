"""JSON Schemas in suites: local, finite, and with RE2 for patterns, so that none can fetch anything or hang."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import referencing
from jsonschema.protocols import Validator

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.yaml_document import parse_yaml
from promptuary.prompt.registration.json_schema import check_schema


def json_schema_validator(value: Any) -> Validator:
    """Return a validator for a schema: an object, true or false, or a text of JSON or YAML that is one.

    Raises:
        Invalid: for what is no schema, refers outside itself or to itself, or has more than 10,000 parts when expanded.
    """
    schema = parse_yaml(value, "the schema").value if isinstance(value, str) else value
    check_schema(schema, _check_keywords)
    validator: Validator = _VALIDATOR(schema, registry=referencing.Registry())
    return validator


def schema_error(validator: Validator, value: Any) -> str | None:
    """Return the first place where a value does not fit, or None."""
    for error in validator.iter_errors(value):
        where = ".".join(map(str, error.absolute_path))
        return f"does not fit the schema at '{where}': {error.validator}" if where else f"does not fit: {error.validator}"
    return None


def _check_keywords(node: JsonObject) -> None:
    if "patternProperties" in node:
        raise Invalid("the schema has patternProperties, which are not taken; name the properties")
    if isinstance(node.get("pattern"), str):
        re2_pattern.compile_pattern(node["pattern"])


def _pattern(validator: Any, source: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not re2_pattern.matches(re2_pattern.compile_pattern(source), instance):
        yield jsonschema.ValidationError("does not match the pattern")


_VALIDATOR = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # it has no types
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)
