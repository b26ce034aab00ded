"""The names that a parsed template uses, by how it uses them: what makes a variable required, optional or a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptuary.prompt.templates.expressions.calls import FilterCall, TestCall
from promptuary.prompt.templates.expressions.expression import Expression, operands
from promptuary.prompt.templates.expressions.filters import LIST_FILTERS
from promptuary.prompt.templates.expressions.logic import And, Conditional, Not, Or
from promptuary.prompt.templates.expressions.lookups import ItemLookup, NameLookup, Slice
from promptuary.prompt.templates.tree import For, If, Node, Output, Partial, Section, Tag


@dataclass(frozen=True)
class UsedNames:
    """The top-level names that a template uses.

    Attributes:
        values: names that must have a value.
        sections: names that may have none; the template only tests whether they have one.
        inner: names inside mustache sections: an item may have them, or the outer values.
        lists: names that the template iterates over.
        partials: names of other templates.
    """

    values: frozenset[str]
    sections: frozenset[str]
    inner: frozenset[str]
    lists: frozenset[str]
    partials: frozenset[str]

    @property
    def everywhere(self) -> frozenset[str]:
        """The names of values, wherever they are used."""
        return self.values | self.sections | self.inner


def used_names(nodes: Sequence[Node], trees: Mapping[str, Sequence[Node]] | None = None) -> UsedNames:
    """Return the names that a template uses.

    Args:
        nodes: the template, parsed.
        trees: the parsed partials by name; their names count as the template's.
    """
    collector = _NameCollector()
    queue: list[tuple[Sequence[Node], bool]] = [(nodes, False)]
    visited: set[tuple[str, bool]] = set()
    while queue:
        body, in_section = queue.pop()
        collector.visit_nodes(body, _Scope(in_section=in_section))
        for name, inside in collector.partials - visited:
            visited.add((name, inside))
            queue.append(((trees or {}).get(name, ()), inside))
    return UsedNames(
        values=frozenset(collector.values),
        sections=frozenset(collector.sections),
        inner=frozenset(collector.inner),
        lists=frozenset(collector.lists),
        partials=frozenset(name for name, _ in collector.partials),
    )


@dataclass(frozen=True)
class _Scope:
    """Where a node is.

    Attributes:
        in_section: whether it is inside a mustache section.
        bound: the loop variables around it.
        tested: the names that an `if` around it has tested.
    """

    in_section: bool = False
    bound: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()

    def with_tested(self, names: frozenset[str]) -> "_Scope":
        return replace(self, tested=self.tested | names)


@dataclass
class _NameCollector:
    """One walk over the trees of a template and its partials."""

    values: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    partials: set[tuple[str, bool]] = field(default_factory=set)

    def visit_nodes(self, nodes: Sequence[Node], scope: _Scope) -> None:
        for node in nodes:
            if isinstance(node, Partial):
                self.partials.add((node.name, scope.in_section))
            elif isinstance(node, Tag | Section):
                self._visit_mustache(node, scope)
            elif isinstance(node, Output):
                self._visit(node.expression, scope)
            elif isinstance(node, If):
                self._visit_if(node, scope)
            elif isinstance(node, For):
                self._visit_for(node, scope)

    def _visit_mustache(self, node: Tag | Section, scope: _Scope) -> None:
        first = node.path[0]
        if first != "." and first not in scope.bound:
            is_section = isinstance(node, Section) or first in scope.tested
            (self.inner if scope.in_section else self.sections if is_section else self.values).add(first)
            if isinstance(node, Section) and not scope.in_section:
                self.lists.add(first)
        if isinstance(node, Section):
            self.visit_nodes(node.body, replace(scope, in_section=scope.in_section or not node.inverted))

    def _visit_if(self, node: If, scope: _Scope) -> None:
        for test, body in node.branches:
            scope = scope.with_tested(self._visit(test, scope, is_test=True))
            self.visit_nodes(body, scope)
        self.visit_nodes(node.otherwise, scope)

    def _visit_for(self, node: For, scope: _Scope) -> None:
        scope = scope.with_tested(self._visit(node.over, scope, is_test=True, is_list=True))
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
                return tested | self._visit(right, scope.with_tested(tested), is_test=is_test)
            case Conditional(test, then, otherwise):
                scope = scope.with_tested(self._visit(test, scope, is_test=True))
                for side in (then, otherwise):
                    if side is not None:
                        self._visit(side, scope, is_test=is_test)
                return frozenset()
        return self._visit_operands(expression, scope, is_test=is_test, is_list=is_list)

    def _visit_name(self, name: str, scope: _Scope, *, is_test: bool, is_list: bool) -> frozenset[str]:
        if name in scope.bound:
            return frozenset()
        (self.sections if is_test or name in scope.tested else self.values).add(name)
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
