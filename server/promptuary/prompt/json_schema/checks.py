"""JSON Schemas from outside: valid, local and finite, so that using one fetches nothing and ends."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:  # of a library that is loaded where it is used
    from promptuary.prompt.json_schema.jsonschema_package import jsonschema

SCHEMA_LIMIT = 10_000
SCHEMA_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_TYPE_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_schema(schema: Any, keywords: Callable[[Mapping[str, Any]], None] | None = None, limit: int = SCHEMA_LIMIT) -> int:
    """Check a schema, and return the number of its parts with every reference expanded.

    Args:
        schema: an object, true or false.
        keywords: is called with every object in it, and raises Invalid for a keyword that is not supported.
        limit: the most parts.

    Raises:
        Invalid: the value is not a valid schema, refers outside itself or to itself, or has too many parts.
    """
    from promptuary.prompt.json_schema.jsonschema_package import (
        jsonschema,  # takes a fifth of the client's import, and no lookup needs it
    )

    if not isinstance(schema, dict | bool):
        raise Invalid("the schema must be an object, true or false")
    try:
        size = _Walk(schema, keywords or (lambda _: None), limit).size(schema)
        jsonschema.Draft202012Validator.check_schema(schema)
    except RecursionError:
        raise Invalid("the schema is nested too deep, or its references lead too far") from None
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        raise Invalid(f"the schema is not valid JSON Schema at '{where}': {_remedy(error)}") from None
    return size


def _remedy(error: "jsonschema.SchemaError") -> str:
    """Return what JSON Schema demands at the place of an error."""
    expected: Any = error.validator_value
    if error.absolute_path and error.absolute_path[-1] == "type":
        return f"must be one of {', '.join(SCHEMA_TYPES)}, or a list of them"
    if error.validator == "type":
        types = [expected] if isinstance(expected, str) else expected
        return f"must be {' or '.join(_TYPE_NAMES[name] for name in types)}"
    if error.validator in ("minimum", "exclusiveMinimum"):
        return f"must be {'at least' if error.validator == 'minimum' else 'over'} {expected}"
    return "has a value twice" if error.validator == "uniqueItems" else f"see the keyword '{error.validator}'"


class _Walk:
    """One walk over a schema that follows its references; a part counts once for each reference to it."""

    def __init__(self, root: Any, keywords: Callable[[Mapping[str, Any]], None], limit: int) -> None:
        self.root = root
        self.keywords = keywords
        self.limit = limit
        self.sizes: dict[str, int] = {}
        self.open: set[str] = set()

    def size(self, node: Any) -> int:
        if isinstance(node, list):
            total = 1 + sum(map(self.size, node))
        elif isinstance(node, dict):
            total = 1 + sum(map(self.size, node.values()))
            self.keywords(node)
            total += sum(self._target(node[key]) for key in _REFERENCES if isinstance(node.get(key), str))
        else:
            total = 1
        if total > self.limit:
            raise Invalid(f"the schema has more than {self.limit} parts when its references are followed")
        return total

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
            raise Invalid(f"the schema refers to '{reference}'; only paths inside it (#/…) are supported")
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
