"""The lookups of a version that fail where a value is missing, by the variable that they begin with.

A new lookup may fail with values that the old version accepted: `{{a.b}}` after `{{a}}`, or `{{c}}` in a section that the old
version rendered without it. The same lookup in the same sections succeeds wherever the old version succeeded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptuary.prompt.content import Placeholder
from promptuary.prompt.templates.lookup.paths import is_index
from promptuary.prompt.templates.lookup.schemas import item_members, schema_at
from promptuary.prompt.templates.prepared import PreparedPrompt, passage_metadata_schema, passages_schema
from promptuary.prompt.templates.tree import DEPTH_LIMIT, Node, Partial, Section, Tag
from promptuary.prompt.templates.used_names import used_names
from promptuary.prompt.variables import Schema

NODES_LIMIT = 20_000
"""The most nodes that are visited; where includes have more, the rest is not compared."""
_SectionKey = tuple[str, bool]
_JINJA_BRANCH = ("a condition or a loop", False)


@dataclass(frozen=True)
class TemplateLookup:
    """A lookup in a template that fails where the value is missing.

    Attributes:
        name: the dotted name.
        sections: the names of the sections around it, and whether they are inverted, from the outside in.
        is_section: whether it is a section itself, which fails only where a path leads into a text or a number.
    """

    name: str
    sections: tuple[_SectionKey, ...]
    is_section: bool

    @property
    def variable(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        """Return it for a message: `'a.b' in the section 'c'`."""
        if not self.sections:
            return f"'{self.name}'"
        section = self.sections[-1]
        return f"'{self.name}' in " + (section[0] if section is _JINJA_BRANCH else f"the section '{section[0]}'")


def fallible_lookups(prepared: PreparedPrompt) -> frozenset[TemplateLookup]:
    """Return the lookups of a version that may fail although its variables are valid."""
    return frozenset(_Walk(prepared).lookups())


@dataclass
class _Walk:
    """One walk over all templates of a version, with its partials in their places."""

    prepared: PreparedPrompt
    schemas: Mapping[str, Schema] = field(init=False)
    remaining: int = NODES_LIMIT
    including: set[tuple[str, tuple[_SectionKey, ...]]] = field(default_factory=set)

    def __post_init__(self) -> None:
        content = self.prepared.content
        passages = {content.context.into: passages_schema()} if content.context else {}
        self.schemas = {**content.variables, **passages}

    def lookups(self) -> Iterator[TemplateLookup]:
        content = self.prepared.content
        for part in self.prepared.parts:
            if isinstance(part, Placeholder):
                continue
            yield from self._visit(part.nodes, (), ())
            if content.format == "jinja2":
                names = used_names(part.nodes).inner - content.variables.keys()
                yield from (TemplateLookup(name, (_JINJA_BRANCH,), is_section=False) for name in names)
        yield from self._visit(self.prepared.query, (), ())
        if content.context:
            passage = item_members((content.context.into,), (), self.schemas) or {}
            for turn in self.prepared.turns:
                yield from self._visit(turn.nodes, ((content.context.into, False),), (passage,))

    def _visit(
        self, nodes: Sequence[Node], sections: tuple[_SectionKey, ...], items: tuple[Mapping[str, Schema], ...]
    ) -> Iterator[TemplateLookup]:
        for node in nodes:
            self.remaining -= 1
            if self.remaining < 0:
                return
            if isinstance(node, Tag | Section) and self._may_fail(node, sections, items):
                yield TemplateLookup(node.name, sections, isinstance(node, Section))
            if isinstance(node, Section):
                key = (node.name, node.inverted)
                members = None if node.inverted else item_members(node.path, items, self.schemas)
                inner_items = (*items, members) if members else items
                yield from self._visit(node.body, sections if key in sections else (*sections, key), inner_items)
            elif isinstance(node, Partial):
                inclusion = (node.name, sections)
                if inclusion not in self.including and len(self.including) < DEPTH_LIMIT:
                    self.including.add(inclusion)
                    yield from self._visit(self.prepared.trees.get(node.name, ()), sections, items)
                    self.including.discard(inclusion)

    def _may_fail(
        self, node: Tag | Section, sections: tuple[_SectionKey, ...], items: tuple[Mapping[str, Schema], ...]
    ) -> bool:
        path = node.path
        if path[0] == "." or (len(path) == 1 and (isinstance(node, Section) or not sections)):
            return False  # a variable of the prompt: its own rules decide whether it may be missing
        if schema_at(path[:1], items, self.schemas) is None:
            return True
        if len(path) == 1:
            return False
        if len(items) < sum(not inverted for _, inverted in sections) or any(map(is_index, path)):
            return True  # an item may have another value of that name, and a list fewer items
        of_metadata = schema_at(path[:-1], items, self.schemas) is passage_metadata_schema()
        return schema_at(path, items, self.schemas) is None and not of_metadata
