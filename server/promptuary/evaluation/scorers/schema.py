"""JSON Schemas in suites: local, finite and without Python's own regular expressions, so that none can fetch or hang."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import referencing
from jsonschema.protocols import Validator

from promptuary.evaluation.scorers import pattern
from promptuary.prompt.document import read
from promptuary.prompt.errors import Invalid

SCHEMA_LIMIT = 10_000
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def schema_of(value: Any) -> Validator:
    """Give a validator for a schema: an object, true or false, or a text of JSON or YAML that is one.

    Raises:
        Invalid: for what is no schema, refers outside itself or to itself, or has more than 10,000 parts when it is spelt out.
    """
    schema = read(value, "the schema").value if isinstance(value, str) else value
    if not isinstance(schema, dict | bool):
        raise Invalid("the schema must be an object, true or false")
    _Walk(schema).size(schema)
    try:
        _VALIDATOR.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        raise Invalid(f"the schema is not valid JSON Schema at '{where}': see the keyword '{error.validator}'") from None
    validator: Validator = _VALIDATOR(schema, registry=referencing.Registry())
    return validator


def fault_of(validator: Validator, value: Any) -> str | None:
    """Say the first place where a value does not fit, or None."""
    for error in validator.iter_errors(value):
        where = ".".join(map(str, error.absolute_path))
        return f"does not fit the schema at '{where}': {error.validator}" if where else f"does not fit: {error.validator}"
    return None


class _Walk:
    """One walk over a schema that follows its references; every part counts as often as it is referred to."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        self.open: set[str] = set()

    def size(self, node: Any) -> int:
        if isinstance(node, list):
            total = 1 + sum(map(self.size, node))
        elif isinstance(node, dict):
            total = 1 + sum(map(self.size, node.values()))
            self._keywords(node)
            total += sum(self._target(node[key]) for key in _REFERENCES if isinstance(node.get(key), str))
        else:
            total = 1
        if total > SCHEMA_LIMIT:
            raise Invalid(f"the schema has more than {SCHEMA_LIMIT} parts when its references are followed")
        return total

    def _keywords(self, node: dict[str, Any]) -> None:
        if "patternProperties" in node:
            raise Invalid("the schema has patternProperties, which are not taken; name the properties")
        if isinstance(node.get("pattern"), str):
            pattern.compiled(node["pattern"])

    def _target(self, reference: str) -> int:
        if reference not in self.sizes:
            if reference in self.open:
                raise Invalid(f"the schema refers to itself by '{reference}'")
            self.open.add(reference)
            self.sizes[reference] = self.size(self._resolved(reference))
            self.open.discard(reference)
        return self.sizes[reference]

    def _resolved(self, reference: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            raise Invalid(f"the schema refers to '{reference}'; only paths inside it (#/…) are taken")
        node = self.root
        for step in reference.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise Invalid(f"the schema refers to '{reference}', which is not in it")
        return node


def _pattern(validator: Any, source: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not pattern.found(pattern.compiled(source), instance):
        yield jsonschema.ValidationError("does not match the pattern")


_VALIDATOR = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # it has no types
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)
