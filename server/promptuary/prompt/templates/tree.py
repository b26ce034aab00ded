"""What a template is once it is parsed, in whichever format it was written: one kind of tree, which one renderer walks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptuary.prompt.templates.jinja.expression import (
    And,
    Conditional,
    Expression,
    FilterCall,
    ItemLookup,
    NameLookup,
    Not,
    Or,
    Slice,
    TestCall,
    operands,
)
from promptuary.prompt.templates.jinja.filters import LIST_FILTERS

DEPTH_LIMIT = 32


@dataclass(frozen=True)
class Literal:
    """Text that stands as it is."""

    text: str


@dataclass(frozen=True)
class Tag:
    """A place where a value is put: `{{name}}`, or `{{a.b}}`, or `{{.}}`."""

    name: str


@dataclass(frozen=True)
class Section:
    """Mustache: a part given once, once an item, or (inverted) when there is nothing."""

    name: str
    inverted: bool
    body: tuple["Node", ...]


@dataclass(frozen=True)
class Partial:
    """Mustache: another template put here, each of its lines indented as the tag was."""

    name: str
    indent: str


@dataclass(frozen=True)
class Output:
    """Jinja: a place where the value of an expression is put."""

    expression: Expression
    line: int


@dataclass(frozen=True)
class If:
    """Jinja: the first branch whose test is true, else the other part."""

    branches: tuple[tuple[Expression, tuple["Node", ...]], ...]
    otherwise: tuple["Node", ...]
    line: int


@dataclass(frozen=True)
class For:
    """Jinja: a part given once an item that the test (if there is one) takes, else the other part.

    `names` are what an item is called; more than one take an item apart that is a list.
    """

    names: tuple[str, ...]
    over: Expression
    test: Expression | None
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]
    line: int


Node = Literal | Tag | Section | Partial | Output | If | For


@dataclass(frozen=True)
class UsedNames:
    """The top-level names that a template asks for, by how it uses them.

    Attributes:
        values: must have a value.
        sections: may have none; the template only asks whether they have.
        inner: names inside mustache sections: an item may give them, or the outer values.
        lists: gone through item by item.
        partials: other templates.
    """

    values: frozenset[str]
    sections: frozenset[str]
    inner: frozenset[str]
    lists: frozenset[str]
    partials: frozenset[str]

    @property
    def everywhere(self) -> frozenset[str]:
        """The names of values, wherever they stand."""
        return self.values | self.sections | self.inner


def used_names(nodes: Sequence[Node], trees: Mapping[str, Sequence[Node]] | None = None) -> UsedNames:
    """List what a template asks for.

    Args:
        nodes: from a parser.
        trees: the parsed partials by name, whose names are the template's too.
    """
    walk = _Walk()
    waiting: list[tuple[Sequence[Node], bool]] = [(nodes, False)]
    seen: set[tuple[str, bool]] = set()
    while waiting:
        walk.nodes(*waiting.pop())
        for name, inside in walk.partials - seen:
            seen.add((name, inside))
            waiting.append(((trees or {}).get(name, ()), inside))
    return UsedNames(
        values=frozenset(walk.values),
        sections=frozenset(walk.sections),
        inner=frozenset(walk.inner),
        lists=frozenset(walk.lists),
        partials=frozenset(name for name, _ in walk.partials),
    )


@dataclass
class _Walk:
    """One walk over trees. `bound` are names that a loop gives; `asked` are those that an `if` around has asked for."""

    values: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    partials: set[tuple[str, bool]] = field(default_factory=set)

    def nodes(
        self,
        nodes: Sequence[Node],
        inside: bool,
        bound: frozenset[str] = frozenset(),
        asked: frozenset[str] = frozenset(),
    ) -> None:
        for node in nodes:
            if isinstance(node, Partial):
                self.partials.add((node.name, inside))
            elif isinstance(node, Tag | Section):
                self._mustache(node, inside, bound, asked)
            elif isinstance(node, Output):
                self.expression(node.expression, bound, asked)
            elif isinstance(node, If):
                known = asked
                for test, body in node.branches:
                    known |= self.expression(test, bound, known, asks=True)
                    self.nodes(body, inside, bound, known)
                self.nodes(node.otherwise, inside, bound, known)
            elif isinstance(node, For):
                known = asked | self.expression(node.over, bound, asked, asks=True, lists=True)
                within = bound | {*node.names, "loop"}
                if node.test is not None:
                    self.expression(node.test, within, known)
                self.nodes(node.body, inside, within, known)
                self.nodes(node.otherwise, inside, bound, known)

    def _mustache(self, node: Tag | Section, inside: bool, bound: frozenset[str], asked: frozenset[str]) -> None:
        first = node.name.partition(".")[0]
        if first and first not in bound:
            section = isinstance(node, Section) or first in asked
            (self.inner if inside else self.sections if section else self.values).add(first)
            if isinstance(node, Section) and not inside:
                self.lists.add(first)
        if isinstance(node, Section):
            self.nodes(node.body, inside or not node.inverted, bound, asked)

    def expression(
        self, one: Expression, bound: frozenset[str], asked: frozenset[str], *, asks: bool = False, lists: bool = False
    ) -> frozenset[str]:
        """Note the names of an expression, and give those that it asks for: what it guards may use them."""
        if isinstance(one, NameLookup):
            if one.name in bound:
                return frozenset()
            (self.sections if asks or one.name in asked else self.values).add(one.name)
            if lists:
                self.lists.add(one.name)
            return frozenset({one.name}) if asks else frozenset()
        if isinstance(one, Not):
            return self.expression(one.of, bound, asked, asks=asks)
        if isinstance(one, TestCall):
            return self.expression(one.of, bound, asked, asks=one.name in ("defined", "undefined"))
        if isinstance(one, And | Or):
            left = self.expression(one.left, bound, asked, asks=True)
            return left | self.expression(one.right, bound, asked | left, asks=asks)
        if isinstance(one, Conditional):
            within = asked | self.expression(one.test, bound, asked, asks=True)
            for part in (one.then, one.otherwise):
                if part is not None:
                    self.expression(part, bound, within, asks=asks)
            return frozenset()
        guarded = isinstance(one, FilterCall) and one.name in ("default", "d")
        listed = isinstance(one, ItemLookup | Slice) or (isinstance(one, FilterCall) and one.name in LIST_FILTERS)
        first, *rest = [*operands(one), None]
        for part in rest:
            if part is not None:
                self.expression(part, bound, asked)
        if first is None:
            return frozenset()
        asking = guarded or (asks and isinstance(one, FilterCall))
        return self.expression(first, bound, asked, asks=asking, lists=listed or lists)
