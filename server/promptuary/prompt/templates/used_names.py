"""The names that a parsed template uses, by how it uses them: what makes a variable required, optional or a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptuary.prompt.templates.expressions.calls import FilterCall, TestCall
from promptuary.prompt.templates.expressions.expression import Expression, operands
from promptuary.prompt.templates.expressions.filters import LIST_FILTERS
from promptuary.prompt.templates.expressions.logic import And, Conditional, Not, Or
from promptuary.prompt.templates.expressions.lookups import ItemLookup, NameLookup, Slice
from promptuary.prompt.templates.lookup.paths import is_index
from promptuary.prompt.templates.lookup.schemas import item_members
from promptuary.prompt.templates.tree import For, If, Node, Output, Partial, Section, Tag
from promptuary.prompt.variables import Schema

_SCOPES_OF_PARTIAL = 64
"""The most scopes in which one partial is visited; partials in sections in partials could have any number of them."""


@dataclass(frozen=True)
class UsedNames:
    """The top-level names that a template uses.

    Attributes:
        values: names that must have a value.
        sections: names that may have none; the template only tests whether they have one.
        inner: names inside mustache sections, where an item may have them or the outer values; and in Jinja names that are
            used under a condition or in a loop. They must have a value where that part is rendered.
        members: names inside mustache sections that the items have: declared members, and positions in a list.
        lists: names that the template iterates over.
        inner_lists: names that the template iterates over inside mustache sections.
        partials: names of other templates.
    """

    values: frozenset[str]
    sections: frozenset[str]
    inner: frozenset[str]
    members: frozenset[str]
    lists: frozenset[str]
    inner_lists: frozenset[str]
    partials: frozenset[str]

    @property
    def variables(self) -> frozenset[str]:
        """The names to which a caller can pass a value."""
        return self.values | self.sections | self.inner

    @property
    def everywhere(self) -> frozenset[str]:
        """The names of values, wherever they are used."""
        return self.variables | self.members

    def is_list(self, name: str) -> bool:
        """Return whether the template iterates over a name; a use outside all sections decides over one inside."""
        return name in self.lists or (name in self.inner_lists and name not in self.values | self.sections)


def used_names(
    nodes: Sequence[Node],
    trees: Mapping[str, Sequence[Node]] | None = None,
    variables: Mapping[str, Schema] | None = None,
) -> UsedNames:
    """Return the names that a template uses.

    Args:
        nodes: the template, parsed.
        trees: the parsed partials by name; their names count as the template's.
        variables: the declared variables. A section over one whose items have declared members defines these names inside.
    """
    collector = _NameCollector(variables or {})
    collector.visit_nodes(nodes, _Scope())
    while collector.partial_scopes:
        name, scope = collector.partial_scopes.pop()
        collector.visit_nodes((trees or {}).get(name, ()), scope)
    return UsedNames(
        values=frozenset(collector.values),
        sections=frozenset(collector.sections),
        inner=frozenset(collector.inner),
        members=frozenset(collector.members),
        lists=frozenset(collector.lists),
        inner_lists=frozenset(collector.inner_lists),
        partials=frozenset(collector.partials),
    )


@dataclass(frozen=True)
class _Scope:
    """Where a node is.

    Attributes:
        conditional: whether it is inside a section, a branch or a loop, and so not always rendered.
        items: the declared members of the items of the mustache sections around it, the innermost last.
        bound: the loop variables around it.
        tested: the names that an `if` around it has tested.
    """

    conditional: bool = False
    items: tuple[Mapping[str, Schema], ...] = ()
    bound: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()

    def with_tested(self, names: frozenset[str]) -> "_Scope":
        return replace(self, tested=self.tested | names)

    def as_branch(self) -> "_Scope":
        """Return the scope of a part that is not always rendered."""
        return replace(self, conditional=True)

    def of_partial(self) -> "_Scope":
        """Return the scope of a partial. Members that occur twice are kept once, so that a partial in itself ends."""
        innermost_first = {id(members): members for members in reversed(self.items)}
        return _Scope(self.conditional, tuple(reversed(innermost_first.values())))

    def key(self) -> tuple[bool, tuple[int, ...]]:
        """Return what identifies the scope of a partial; a schema is a part of the declarations, which outlive a walk."""
        return self.conditional, tuple(map(id, self.items))


@dataclass
class _NameCollector:
    """One walk over the trees of a template and its partials."""

    variables: Mapping[str, Schema]
    values: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    inner_lists: set[str] = field(default_factory=set)
    partials: dict[str, set[tuple[bool, tuple[int, ...]]]] = field(default_factory=dict)
    partial_scopes: list[tuple[str, _Scope]] = field(default_factory=list)

    def visit_nodes(self, nodes: Sequence[Node], scope: _Scope) -> None:
        for node in nodes:
            if isinstance(node, Partial):
                self._visit_partial(node.name, scope.of_partial())
            elif isinstance(node, Tag | Section):
                self._visit_mustache(node, scope)
            elif isinstance(node, Output):
                self._visit(node.expression, scope)
            elif isinstance(node, If):
                self._visit_if(node, scope)
            elif isinstance(node, For):
                self._visit_for(node, scope)

    def _visit_partial(self, name: str, scope: _Scope) -> None:
        """Add a partial to visit in this scope; beyond many different scopes, without the members of the sections."""
        keys = self.partials.setdefault(name, set())
        if len(keys) >= _SCOPES_OF_PARTIAL:
            scope = _Scope(scope.conditional)
        if scope.key() not in keys:
            keys.add(scope.key())
            self.partial_scopes.append((name, scope))

    def _visit_mustache(self, node: Tag | Section, scope: _Scope) -> None:
        first = node.path[0]
        if first != "." and first not in scope.bound:
            if any(first in members for members in scope.items) or (scope.conditional and is_index(first)):
                self.members.add(first)
            elif first in scope.tested:
                self.sections.add(first)
            elif scope.conditional:
                self.inner.add(first)
            else:
                (self.sections if isinstance(node, Section) else self.values).add(first)
            if isinstance(node, Section):
                (self.inner_lists if scope.conditional else self.lists).add(first)
        if isinstance(node, Section):
            members = None if node.inverted else item_members(node.path, scope.items, self.variables)
            self.visit_nodes(node.body, replace(scope.as_branch(), items=(*scope.items, members) if members else scope.items))

    def _visit_if(self, node: If, scope: _Scope) -> None:
        for test, body in node.branches:
            scope = scope.with_tested(self._visit(test, scope, is_test=True)).as_branch()
            self.visit_nodes(body, scope)
        self.visit_nodes(node.otherwise, scope)

    def _visit_for(self, node: For, scope: _Scope) -> None:
        scope = scope.with_tested(self._visit(node.over, scope, is_test=True, is_list=True)).as_branch()
        loop_scope = replace(scope, bound=scope.bound | {*node.names, "loop"})
        if node.test is not None:
            self._visit(node.test, loop_scope)
        self.visit_nodes(node.body, loop_scope)
        self.visit_nodes(node.otherwise, scope)

    def _visit(self, expression: Expression, scope: _Scope, *, is_test: bool = False, is_list: bool = False) -> frozenset[str]:
        """Collect the names of an expression; return those that it tests, which what it guards may use freely.

        Args:
            expression: what is visited.
            scope: where it is.
            is_test: whether only the truth of its value matters.
            is_list: whether its value is iterated over.
        """
        match expression:
            case NameLookup(name):
                return self._visit_name(name, scope, is_test=is_test, is_list=is_list)
            case Not(of):
                return self._visit(of, scope, is_test=is_test)
            case TestCall(name, of):
                return self._visit(of, scope, is_test=name in ("defined", "undefined"))
            case And(left, right) | Or(left, right):
                tested = self._visit(left, scope, is_test=True)
                right_scope = scope.as_branch() if isinstance(expression, And) else scope
                return tested | self._visit(right, right_scope.with_tested(tested), is_test=is_test)
            case Conditional(test, then, otherwise):
                scope = scope.with_tested(self._visit(test, scope, is_test=True)).as_branch()
                for side in (then, otherwise):
                    if side is not None:
                        self._visit(side, scope, is_test=is_test)
                return frozenset()
        return self._visit_operands(expression, scope, is_test=is_test, is_list=is_list)

    def _visit_name(self, name: str, scope: _Scope, *, is_test: bool, is_list: bool) -> frozenset[str]:
        if name in scope.bound:
            return frozenset()
        is_tested = is_test or name in scope.tested
        (self.sections if is_tested else self.inner if scope.conditional else self.values).add(name)
        if is_list:
            self.lists.add(name)
        return frozenset({name}) if is_test else frozenset()

    def _visit_operands(self, expression: Expression, scope: _Scope, *, is_test: bool, is_list: bool) -> frozenset[str]:
        """Collect from the operands; the first of them is what a filter, a lookup or a slice works on."""
        is_filter = isinstance(expression, FilterCall)
        has_default = isinstance(expression, FilterCall) and expression.name in ("default", "d")
        takes_list = isinstance(expression, ItemLookup | Slice) or (
            isinstance(expression, FilterCall) and expression.name in LIST_FILTERS
        )
        parts = operands(expression)
        if not parts:
            return frozenset()
        first, *rest = parts
        for operand in rest:
            self._visit(operand, scope)
        return self._visit(first, scope, is_test=has_default or (is_test and is_filter), is_list=takes_list or is_list)
