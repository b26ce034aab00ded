"""JSON Schema as its standard has it: of the draft that `$schema` names, 2020-12 by default, with formats as assertions.

The standard lets a validator ignore keywords and formats that it does not know. Here they are errors, because a misspelt
keyword would be a check that passes everything. OpenAPI's `nullable` counts beside a `type`, as its users mean it, and a
schema without `$schema` that has a list of `items` is one of draft 7.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.json_schema.formats import STANDARD_FORMATS, find_format
from promptuary.evaluation.scorers.json_schema.keywords import (
    Keyword,
    compile_schema_pattern,
    counted_keywords,
    own_keywords,
    with_nullable,
)
from promptuary.evaluation.scorers.json_schema.walk import SchemaWalk
from promptuary.prompt.errors import Invalid
from promptuary.prompt.json_schema.jsonschema_package import Validator, jsonschema

_DRAFTS: Mapping[str, type[Validator]] = {
    "http://json-schema.org/draft-04/schema": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-06/schema": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
}
_ANNOTATIONS = frozenset(
    """$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly contentMediaType
    contentEncoding contentSchema nullable example discriminator xml externalDocs""".split()
)
"""Keywords that demand nothing by themselves: those of the standard, and OpenAPI's."""
_EVALUATED_WITH = {
    "then": "if",
    "else": "if",
    "minContains": "dependentRequired",
    "maxContains": "dependentRequired",
    "$anchor": "dependentRequired",
    "$vocabulary": "dependentRequired",
    "$dynamicAnchor": "$dynamicRef",
    "$recursiveAnchor": "$recursiveRef",
}
"""Keywords that others evaluate, each with one that every draft has that knows it."""
_DRAFT_4_ONLY = frozenset(["id", "exclusiveMinimum", "exclusiveMaximum"])
_DRAFT_7_FORMS = ("additionalItems", "dependencies")
_DRAFTS_OF = {
    "additionalItems": "in 2020-12 it is `items`, beside `prefixItems`",
    "dependencies": "in 2020-12 it is `dependentRequired` or `dependentSchemas`",
    "$recursiveRef": "in 2020-12 it is `$dynamicRef`",
    "prefixItems": "it is of 2020-12",
    "dependentRequired": "it is of 2019-09 and later",
    "dependentSchemas": "it is of 2019-09 and later",
    "unevaluatedItems": "it is of 2019-09 and later",
    "unevaluatedProperties": "it is of 2019-09 and later",
    "const": "it is of draft 6 and later",
    "contains": "it is of draft 6 and later",
    "propertyNames": "it is of draft 6 and later",
    "if": "it is of draft 7 and later",
}


def standard_validator(schema: JsonObject | bool) -> type[Validator]:
    """Return the validator of the draft that a schema names, or that its form shows.

    Raises:
        Invalid: for a draft that is not known.
    """
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if named is None:
        return _validator(jsonschema.Draft7Validator if _has_draft_7_form(schema) else jsonschema.Draft202012Validator)
    draft = _DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None
    if draft is None:
        raise Invalid(f"the schema names the draft '{str(named)[:100]}'; known are {', '.join(_DRAFTS)}")
    return _validator(draft)


def check_standard(schema: JsonObject | bool, validator: type[Validator], resolve: Callable[[str], Any]) -> None:
    """Check a schema.

    Args:
        schema: the schema, without `$schema`.
        validator: of its draft.
        resolve: returns what a reference leads to, and raises Invalid for one that leads nowhere.

    Raises:
        Invalid: for an unknown keyword or format, and for a pattern that is none.
        SchemaError: for what the draft itself refuses.
    """
    cast("Any", validator).check_schema(schema, format_checker=None)  # the protocol leaves the argument out
    keywords = _keywords_of(validator)
    parts = list(SchemaWalk(resolve, definitions=True).parts(schema))
    for part in parts:
        _check_part(part, keywords)
    names = {name for part in parts for name in part}
    if {"unevaluatedProperties", "patternProperties"} <= names:
        raise Invalid("the schema has unevaluatedProperties and patternProperties, which do not go together here")


def _check_part(part: JsonObject, keywords: frozenset[str]) -> None:
    for name in part:
        if name not in keywords and not name.startswith("x-"):
            hint = f" ({_DRAFTS_OF[name]})" if name in _DRAFTS_OF else ""
            raise Invalid(f"the schema has the keyword `{name}`, which its draft does not know{hint}")
    ignored = sorted(part.keys() - _ANNOTATIONS - {"$ref"}) if "$ref" in part and "dependentRequired" not in keywords else []
    if ignored:
        raise Invalid(f"the schema has `{ignored[0]}` beside `$ref`, where its draft ignores it; put both into an `allOf`")
    if isinstance(part.get("format"), str):
        find_format(part["format"], STANDARD_FORMATS)
    for source in [part["pattern"]] if "pattern" in part else part.get("patternProperties", {}):
        compile_schema_pattern(source)


def _has_draft_7_form(schema: JsonObject | bool) -> bool:
    """Return whether a schema has what 2020-12 does not know, and draft 7 does."""
    parts = SchemaWalk(lambda reference: None, definitions=True).parts(schema)
    return any(isinstance(part.get("items"), list) or any(name in part for name in _DRAFT_7_FORMS) for part in parts)


@cache
def _validator(draft: type[Validator]) -> type[Validator]:
    keywords: dict[str, Keyword] = dict(draft.VALIDATORS)
    keywords |= {name: keyword for name, keyword in own_keywords(STANDARD_FORMATS).items() if name in keywords}
    keywords["type"] = with_nullable(keywords["type"])
    extended: type[Validator] = jsonschema.validators.extend(draft, counted_keywords(keywords))  # type: ignore[no-untyped-call]  # it has no types
    return extended


@cache
def _keywords_of(validator: type[Validator]) -> frozenset[str]:
    """Return the keywords that a draft knows."""
    evaluated = frozenset(validator.VALIDATORS)
    others = frozenset(name for name, keyword in _EVALUATED_WITH.items() if keyword in evaluated)
    return evaluated | _ANNOTATIONS | others | (frozenset() if "const" in evaluated else _DRAFT_4_ONLY)
