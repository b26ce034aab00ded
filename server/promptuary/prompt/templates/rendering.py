"""Trees filled with values: the one renderer of every format, under one budget for all messages of a prompt."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.prompt.errors import FieldError, InvalidVariables, RenderTooLarge
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.jinja.expression import Expression, first_name
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Partial, Section, Tag
from promptuary.prompt.templates.value import UNDEFINED, TypeMismatch, to_text

SCOPES_LIMIT = 200


def render(nodes: Sequence[Node], values: Mapping[str, Any], *, limit: int, partials: Mapping[str, str] | None = None) -> str:
    """Render a parsed template; what has no value is empty.

    Args:
        nodes: from a parser.
        values: JSON values by name; they are data, a tag inside one is not read.
        limit: the most characters of output; each turn of a section or loop and each partial counts as one more.
        partials: mustache sources by name; one that is missing is empty.

    Raises:
        InvalidVariables: when a value is not of a kind that an expression works on.
        RenderTooLarge: when the output passes the limit, or the work does (`promptuary.prompt.templates.render_budget`).
    """
    return TemplateRenderer(limit, partials).render(nodes, values)


class TemplateRenderer:
    """Renders several templates under one budget. What gives no output counts too, so that no loop runs for nothing."""

    def __init__(self, limit: int, partials: Mapping[str, str] | None = None) -> None:
        self.budget = RenderBudget(limit)
        self.partials = partials or {}
        self.depth = 0
        self._parsed: dict[tuple[str, str], tuple[Node, ...]] = {}

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any]) -> str:
        """Render one template.

        Raises:
            InvalidVariables: when a value is not of a kind that an expression works on; no fault repeats a value.
            RenderTooLarge: when all templates together pass the budget.
        """
        out: list[str] = []
        self._into(out, nodes, [values])
        return "".join(out)

    def _into(self, out: list[str], nodes: Sequence[Node], stack: list[Any]) -> None:
        if len(stack) > SCOPES_LIMIT:
            raise RenderTooLarge(f"sections and partials are nested more than {SCOPES_LIMIT} deep")
        step = 1 + len(stack) // 8
        for node in nodes:
            self.budget.step(step)
            if isinstance(node, Literal):
                self._put(out, node.text)
            elif isinstance(node, Tag):
                self._put(out, to_text(_lookup(node.name, stack)))
            elif isinstance(node, Section):
                self._section(out, node, _lookup(node.name, stack), stack)
            elif isinstance(node, Partial):
                if node.name in self.partials:
                    self._partial(out, node, stack)
            elif isinstance(node, Output):
                self._put(out, to_text(self._value(node.expression, node.line, stack)))
            elif isinstance(node, If):
                self._into(out, self._branch(node, stack), stack)
            else:
                self._loop(out, node, stack)

    def _section(self, out: list[str], node: Section, value: Any, stack: list[Any]) -> None:
        empty = value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value)
        if node.inverted:
            if empty:
                self._into(out, node.body, stack)
        elif isinstance(value, list | tuple):
            for item in value:
                self.budget.put(1)
                self._into(out, node.body, [*stack, item])
        elif not empty:
            self._into(out, node.body, [*stack, value])

    def _partial(self, out: list[str], node: Partial, stack: list[Any]) -> None:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise RenderTooLarge(f"partials are nested more than {DEPTH_LIMIT} deep")
        self.budget.put(1)
        known = (node.name, node.indent)
        if known not in self._parsed:
            source = self.partials[node.name]
            if node.indent:
                self.budget.step(source.count("\n") * len(node.indent) // 4)
                source = re.sub(r"(?m)^(?=.|\n)", node.indent, source)
            self.budget.step(len(source) // 4)
            self._parsed[known] = mustache.parse(source, node.name)
        self._into(out, self._parsed[known], stack)
        self.depth -= 1

    def _branch(self, node: If, stack: list[Any]) -> tuple[Node, ...]:
        for test, body in node.branches:
            if self._value(test, node.line, stack):
                return body
        return node.otherwise

    def _loop(self, out: list[str], node: For, stack: list[Any]) -> None:
        scopes = [_named(node, item, len(node.names)) for item in self._items(node, stack)]
        if node.test is not None:
            scopes = [scope for scope in scopes if self._value(node.test, node.line, [*stack, scope])]
        count = len(scopes)
        for place, scope in enumerate(scopes):
            self.budget.put(1)
            scope["loop"] = {
                "index": place + 1,
                "index0": place,
                "revindex": count - place,
                "revindex0": count - place - 1,
                "first": place == 0,
                "last": place == count - 1,
                "length": count,
            }
            self._into(out, node.body, [*stack, scope])
        if not scopes:
            self._into(out, node.otherwise, stack)

    def _items(self, node: For, stack: list[Any]) -> Sequence[Any]:
        value = self._value(node.over, node.line, stack)
        if value is UNDEFINED:
            return ()
        if not isinstance(value, list | tuple | Mapping):
            raise _misfit(node.over, node.line, "a loop goes through a list")
        self.budget.step(len(value))
        return list(value)

    def _value(self, expression: Expression, line: int, stack: list[Any]) -> Any:
        try:
            return expression.value(stack, self.budget)
        except TypeMismatch as error:
            raise _misfit(expression, line, str(error)) from None

    def _put(self, out: list[str], text: str) -> None:
        self.budget.put(len(text))
        out.append(text)


def _named(node: For, item: Any, count: int) -> dict[str, Any]:
    """Give the scope of one turn of a loop."""
    if count == 1:
        return {node.names[0]: item}
    if not isinstance(item, list | tuple) or len(item) != count:
        raise _misfit(node.over, node.line, f"the loop takes each item apart, so each must be a list of {count}")
    return dict(zip(node.names, item, strict=True))


def _misfit(expression: Expression, line: int, words: str) -> InvalidVariables:
    fault = FieldError(first_name(expression) or "template", f"{words} (line {line} of the template)")
    return InvalidVariables("the variables do not fit the prompt", [fault])


def _lookup(name: str, stack: list[Any]) -> Any:
    if name == ".":
        return stack[-1]
    first, *rest = name.split(".")
    for scope in reversed(stack):
        if isinstance(scope, Mapping) and first in scope:
            value = scope[first]
            break
    else:
        return None
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
