"""The library's validators of schemas: checked by the rules of their dialect, and bound to nothing outside of them."""

import copy
from collections.abc import Callable
from typing import Any

import referencing
import referencing.exceptions
import referencing.jsonschema
from jsonschema_specifications import REGISTRY

from promptuary.evaluation.scorers.json_schema.ajv import AjvValidator, check_ajv
from promptuary.evaluation.scorers.json_schema.keywords import compile_schema_pattern
from promptuary.evaluation.scorers.json_schema.standard import check_standard, standard_validator
from promptuary.evaluation.scorers.json_schema.walk import SchemaWalk
from promptuary.prompt.errors import Invalid
from promptuary.prompt.json_schema.jsonschema_package import Validator, jsonschema

Specification = referencing.Specification[Any]
DRAFT7: Specification = referencing.jsonschema.DRAFT7
_STANDARDS = ("http://json-schema.org/", "https://json-schema.org/")
"""Where the schemas of schemas are, which come with the library."""


def compiled_validator(schema: Any, *, ajv: bool) -> Validator:
    """Return the validator of a schema.

    Args:
        schema: an object, true or false.
        ajv: whether it has Ajv's rules of draft 7; else those of the standard.

    Raises:
        Invalid: for what is no schema, has an unknown keyword or format, or refers to what is not in it.
    """
    try:
        return _checked_as_ajv(schema) if ajv else _checked_as_standard(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        raise Invalid(f"the schema is not valid JSON Schema at '{where}': see the keyword '{error.validator}'") from None


def backtracks(schema: Any) -> bool:
    """Return whether a schema has a pattern whose search may take long."""
    parts = list(SchemaWalk(lambda reference: None, definitions=True).parts(schema))
    sources = [part["pattern"] for part in parts if isinstance(part.get("pattern"), str)]
    sources += [source for part in parts for source in part.get("patternProperties", ())]
    return any(part.get("format") == "regex" for part in parts) or any(
        compile_schema_pattern(source).backtracks for source in sources
    )


def _checked_as_ajv(schema: Any) -> Validator:
    check_ajv(schema, _resolver(schema, DRAFT7))
    return _validator_of(AjvValidator, schema)


def _checked_as_standard(schema: Any) -> Validator:
    validator = standard_validator(schema)
    for part in SchemaWalk(lambda reference: None, definitions=True).parts(schema):
        if part.get("$schema", schema.get("$schema")) != schema.get("$schema"):
            raise Invalid("a part of the schema names another draft than the whole")
    plain = _without_draft(schema)
    specification = referencing.jsonschema.specification_with(validator.META_SCHEMA.get("$id") or validator.META_SCHEMA["id"])
    check_standard(plain, validator, _resolver(plain, specification))
    return _validator_of(validator, plain)


def _validator_of(validator: type[Validator], schema: Any) -> Validator:
    return validator(_without_draft(schema), registry=referencing.Registry())


def _without_draft(schema: Any) -> Any:
    """Return a copy of a schema without `$schema`, by which the library would choose a validator of its own for a part."""
    plain = copy.deepcopy(schema)
    for part in SchemaWalk(lambda reference: None, definitions=True).parts(plain):
        if isinstance(part, dict):
            part.pop("$schema", None)
    return plain


def _resolver(schema: Any, specification: Specification) -> Callable[[str], Any]:
    """Return a function that returns what a reference in a schema leads to; nothing is fetched."""
    resolver = REGISTRY.resolver_with_root(specification.create_resource(schema))

    def resolve(reference: str) -> Any:
        try:
            contents = resolver.lookup(reference).contents
        except (referencing.exceptions.Unresolvable, referencing.exceptions.Unretrievable, ValueError):
            raise Invalid(f"the schema refers to '{reference[:200]}', which is not in it, and nothing is fetched") from None
        return True if reference.startswith(_STANDARDS) else contents

    return resolve
