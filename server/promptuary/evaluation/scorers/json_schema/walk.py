"""A walk over the parts of a JSON Schema that are schemas themselves, references included."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.errors import Invalid

PARTS_LIMIT = 10_000
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
DEFINITIONS = ("definitions", "$defs")
_SCHEMAS = (
    *("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
_MAPPINGS = ("dependencies", "dependentSchemas", "patternProperties", "properties")


@dataclass
class SchemaWalk:
    """One walk over a schema, which visits each part once, however many references lead to it.

    Attributes:
        resolve: returns the schema that a reference leads to.
        definitions: whether definitions are visited to which no reference leads.
    """

    resolve: Callable[[str], Any]
    definitions: bool
    _visited: set[int] = field(default_factory=set, init=False)

    def parts(self, root: Any) -> Iterator[JsonObject]:
        """Yield every object that is a schema.

        Raises:
            Invalid: for a reference that leads nowhere.
        """
        pending = [root]
        while pending:
            node = pending.pop()
            if not isinstance(node, dict) or id(node) in self._visited:
                continue
            self._visited.add(id(node))
            yield node
            pending += self._parts_of(node)

    def _parts_of(self, node: JsonObject) -> Iterator[Any]:
        yield from (node[name] for name in _SCHEMAS if name in node)
        yield from (part for name in _LISTS if isinstance(node.get(name), list) for part in node[name])
        mappings = _MAPPINGS + (DEFINITIONS if self.definitions else ())
        yield from (part for name in mappings if isinstance(node.get(name), Mapping) for part in node[name].values())
        yield from (self.resolve(node[name]) for name in REFERENCES if isinstance(node.get(name), str))


def check_size(schema: Any) -> None:
    """Check that a schema is not too large.

    Raises:
        Invalid: for one of more than 10,000 parts.
    """
    pending, parts = [schema], 0
    while pending:
        node = pending.pop()
        parts += 1
        if parts > PARTS_LIMIT:
            raise Invalid(f"the schema has more than {PARTS_LIMIT:,} parts")
        pending += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
