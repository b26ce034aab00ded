"""JSON Schema draft 7 as Ajv reads it in its strict mode, with the formats of ajv-formats: the rules of promptfoo's files.

Ajv refuses what the standard ignores: unknown keywords and formats, a `then` without an `if`, another draft in `$schema`.
Beside a `$ref` it applies the other keywords, which draft 7 does not, and it takes OpenAPI's `nullable` beside a `type`.
"""

import math
from collections.abc import Callable
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.json_schema.formats import AJV_FORMATS, find_format
from promptuary.evaluation.scorers.json_schema.keywords import Errors, Keyword, counted_keywords, own_keywords, with_nullable
from promptuary.evaluation.scorers.json_schema.walk import SchemaWalk
from promptuary.evaluation.scorers.patterns.pattern import compile_javascript
from promptuary.prompt.errors import Invalid
from promptuary.prompt.json_schema.jsonschema_package import Validator, jsonschema

_DRAFTS = ("", "http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-07/schema#")
_RULES = frozenset(
    """additionalItems additionalProperties allOf anyOf const contains dependencies else enum exclusiveMaximum exclusiveMinimum
    format if items maxItems maxLength maxProperties maximum minItems minLength minProperties minimum multipleOf not
    nullable oneOf pattern patternProperties properties propertyNames required then type uniqueItems $ref""".split()
)
_KNOWN = _RULES | frozenset(
    """$schema $id $defs $vocabulary $comment definitions title description default deprecated readOnly writeOnly examples
    contentMediaType contentEncoding contentSchema""".split()
)
_NOT_HERE = frozenset(["$async", "formatMaximum", "formatMinimum", "formatExclusiveMaximum", "formatExclusiveMinimum"])
_WHOLE_NUMBER_DIGITS = 1e21
"""From here on JavaScript writes numbers with an exponent, which Ajv's check of `multipleOf` does not read."""


def _is_number(_: Any, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of JavaScript's numbers
        return False


def _is_integer(checker: Any, value: Any) -> bool:
    return _is_number(checker, value) and float(value).is_integer()


def _multiple_of(validator: Any, divisor: float, instance: Any, schema: Any) -> Errors:
    """Divide as JavaScript does, in doubles, so that 0.3 is no multiple of 0.1."""
    if _is_number(None, instance):
        quotient = float(instance) / float(divisor) if divisor else math.inf
        if not (quotient.is_integer() and abs(quotient) < _WHOLE_NUMBER_DIGITS):
            yield jsonschema.ValidationError("is no multiple")


_META_SCHEMA: JsonObject = {
    **jsonschema.Draft7Validator.META_SCHEMA,
    "properties": {
        **jsonschema.Draft7Validator.META_SCHEMA["properties"],
        "enum": {"type": "array", "items": True, "minItems": 1, "uniqueItems": True},
    },
}
_KEYWORDS: dict[str, Keyword] = {
    **jsonschema.Draft7Validator.VALIDATORS,
    **own_keywords(AJV_FORMATS),
    "multipleOf": _multiple_of,
}
_KEYWORDS["type"] = with_nullable(_KEYWORDS["type"])
AjvValidator: type[Validator] = jsonschema.validators.create(
    meta_schema=_META_SCHEMA,
    validators=counted_keywords(_KEYWORDS),
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("number", _is_number).redefine("integer", _is_integer),
)


def check_ajv(schema: JsonObject | bool, resolve: Callable[[str], Any]) -> None:
    """Check that Ajv accepts a schema.

    Args:
        schema: the schema.
        resolve: returns what a reference leads to, and raises Invalid for one that leads nowhere.

    Raises:
        Invalid: for what Ajv's strict mode refuses.
        SchemaError: for what the draft itself refuses.
    """
    if isinstance(schema, dict) and schema.get("$schema") not in (*_DRAFTS, None):
        raise Invalid(
            f"the schema names '{schema['$schema']}', of which Ajv knows only http://json-schema.org/draft-07/schema#"
        )
    for error in jsonschema.Draft7Validator(_META_SCHEMA).iter_errors(schema):
        raise jsonschema.SchemaError.create_from(error)
    for part in SchemaWalk(resolve, definitions=False).parts(schema):
        _check_part(part)


def _check_part(part: JsonObject) -> None:
    for name in part:
        if name == "id":
            raise Invalid("the schema has `id`; since draft 6 it is `$id`")
        if name in _NOT_HERE:
            raise Invalid(f"the schema has `{name}`, which is not supported here")
        if name not in _KNOWN:
            raise Invalid(f"the schema has the unknown keyword `{name}`, which Ajv's strict mode refuses")
    _check_combinations(part)
    _check_nullable(part)
    if isinstance(part.get("format"), str):
        find_format(part["format"], AJV_FORMATS)
    if "pattern" in part:
        compile_javascript(part["pattern"], unicode=True)
    _check_patterns(part)


def _check_combinations(part: JsonObject) -> None:
    if "if" in part and not {"then", "else"} & part.keys():
        raise Invalid("the schema has an `if` without a `then` and an `else`, which demands nothing")
    if {"then", "else"} & part.keys() and "if" not in part:
        raise Invalid("the schema has a `then` or an `else` without an `if`, which demands nothing")
    if "additionalItems" in part and not isinstance(part.get("items"), list):
        raise Invalid("the schema has `additionalItems` without a list of `items`, which demands nothing")


def _check_nullable(part: JsonObject) -> None:
    if "nullable" not in part:
        return
    if not isinstance(part["nullable"], bool):
        raise Invalid("the schema has a `nullable` that is neither true nor false")
    types = part.get("type", [])
    types = types if isinstance(types, list) else [types]
    if not types:
        raise Invalid("the schema has a `nullable` without a `type`")
    if "null" in types and part["nullable"] is False:
        raise Invalid("the schema has the type null, and `nullable: false`")


def _check_patterns(part: JsonObject) -> None:
    """Check the patterns of properties; Ajv leaves out those whose schemas accept everything."""
    patterns = part.get("patternProperties", {})
    if all(_accepts_everything(subschema) for subschema in patterns.values()):
        return
    for source in patterns:
        pattern = compile_javascript(source, unicode=True)
        for name in part.get("properties", {}):
            if pattern.matches(name):
                raise Invalid(f"the schema's property '{name}' matches its pattern '{source}', which Ajv's strict mode refuses")


def _accepts_everything(subschema: Any) -> bool:
    return subschema is True or (isinstance(subschema, dict) and not subschema.keys() & _RULES)
