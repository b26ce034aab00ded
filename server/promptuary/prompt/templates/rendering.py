"""The one renderer of every format: it fills a parsed template with values, under one budget for all messages of a prompt."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.prompt.errors import FieldError, InvalidVariables, RenderTooLarge
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.expressions.lookups import first_name
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Partial, Section, Tag
from promptuary.prompt.templates.value import UNDEFINED, TypeMismatch, to_text

SCOPES_LIMIT = 200


def render(nodes: Sequence[Node], values: Mapping[str, Any], *, limit: int, partials: Mapping[str, str] | None = None) -> str:
    """Render a parsed template; a name without a value is empty.

    Args:
        nodes: the template, from a parser.
        values: JSON values by name. They are data: a tag inside a value is not read.
        limit: the most characters of output. Each round of a section or loop and each partial count as one more.
        partials: mustache sources by name; a missing partial is empty.

    Raises:
        InvalidVariables: a value has a type on which an expression does not work.
        RenderTooLarge: the output or the steps are over their limits (`promptuary.prompt.templates.render_budget`).
    """
    return TemplateRenderer(limit, partials).render(nodes, values)


class TemplateRenderer:
    """Renders several templates under one budget. A loop that outputs nothing counts too, so it cannot run endlessly."""

    def __init__(self, limit: int, partials: Mapping[str, str] | None = None) -> None:
        self.budget = RenderBudget(limit)
        self.partials = partials or {}
        self.depth = 0
        self._parsed: dict[tuple[str, str], tuple[Node, ...]] = {}

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any]) -> str:
        """Render one template.

        Raises:
            InvalidVariables: a value has a type on which an expression does not work; no error repeats a value.
            RenderTooLarge: all templates together are over the budget.
        """
        output: list[str] = []
        self._render_nodes(output, nodes, [values])
        return "".join(output)

    def _render_nodes(self, output: list[str], nodes: Sequence[Node], stack: list[Any]) -> None:
        if len(stack) > SCOPES_LIMIT:
            raise RenderTooLarge(f"sections and partials are nested more than {SCOPES_LIMIT} deep")
        steps = 1 + len(stack) // 8
        for node in nodes:
            self.budget.add_steps(steps)
            if isinstance(node, Literal):
                self._write(output, node.text)
            elif isinstance(node, Tag):
                self._write(output, to_text(_lookup(node.path, stack)))
            elif isinstance(node, Section):
                self._render_section(output, node, _lookup(node.path, stack), stack)
            elif isinstance(node, Partial):
                if node.name in self.partials:
                    self._render_partial(output, node, stack)
            elif isinstance(node, Output):
                self._write(output, to_text(self._evaluate(node.expression, node.line, stack)))
            elif isinstance(node, If):
                self._render_nodes(output, self._branch(node, stack), stack)
            else:
                self._render_loop(output, node, stack)

    def _render_section(self, output: list[str], node: Section, value: Any, stack: list[Any]) -> None:
        empty = value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value)
        if node.inverted:
            if empty:
                self._render_nodes(output, node.body, stack)
        elif isinstance(value, list | tuple):
            for item in value:
                self.budget.add_output(1)
                self._render_nodes(output, node.body, [*stack, item])
        elif not empty:
            self._render_nodes(output, node.body, [*stack, value])

    def _render_partial(self, output: list[str], node: Partial, stack: list[Any]) -> None:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise RenderTooLarge(f"partials are nested more than {DEPTH_LIMIT} deep")
        self.budget.add_output(1)
        key = (node.name, node.indent)
        if key not in self._parsed:
            source = self.partials[node.name]
            if node.indent:
                self.budget.add_steps(source.count("\n") * len(node.indent) // 4)
                source = re.sub(r"(?m)^(?=.|\n)", node.indent, source)
            self.budget.add_steps(len(source) // 4)
            self._parsed[key] = mustache.parse(source, node.name)
        self._render_nodes(output, self._parsed[key], stack)
        self.depth -= 1

    def _branch(self, node: If, stack: list[Any]) -> tuple[Node, ...]:
        for test, body in node.branches:
            if self._evaluate(test, node.line, stack):
                return body
        return node.otherwise

    def _render_loop(self, output: list[str], node: For, stack: list[Any]) -> None:
        scopes = [_loop_scope(node, item) for item in self._items(node, stack)]
        if node.test is not None:
            scopes = [scope for scope in scopes if self._evaluate(node.test, node.line, [*stack, scope])]
        count = len(scopes)
        for index, scope in enumerate(scopes):
            self.budget.add_output(1)
            scope["loop"] = {
                "index": index + 1,
                "index0": index,
                "revindex": count - index,
                "revindex0": count - index - 1,
                "first": index == 0,
                "last": index == count - 1,
                "length": count,
            }
            self._render_nodes(output, node.body, [*stack, scope])
        if not scopes:
            self._render_nodes(output, node.otherwise, stack)

    def _items(self, node: For, stack: list[Any]) -> Sequence[Any]:
        value = self._evaluate(node.over, node.line, stack)
        if value is UNDEFINED:
            return ()
        if not isinstance(value, list | tuple | Mapping):
            raise _invalid_value(node.over, node.line, "a loop iterates over a list")
        self.budget.add_steps(len(value))
        return list(value)

    def _evaluate(self, expression: Expression, line: int, stack: list[Any]) -> Any:
        try:
            return expression.value(stack, self.budget)
        except TypeMismatch as error:
            raise _invalid_value(expression, line, str(error)) from None

    def _write(self, output: list[str], text: str) -> None:
        self.budget.add_output(len(text))
        output.append(text)


def _loop_scope(node: For, item: Any) -> dict[str, Any]:
    """Return the loop variables of one round; several of them unpack the item."""
    count = len(node.names)
    if count == 1:
        return {node.names[0]: item}
    if not isinstance(item, list | tuple) or len(item) != count:
        raise _invalid_value(node.over, node.line, f"the loop unpacks each item, so each must be a list of {count}")
    return dict(zip(node.names, item, strict=True))


def _invalid_value(expression: Expression, line: int, message: str) -> InvalidVariables:
    error = FieldError(first_name(expression) or "template", f"{message} (line {line} of the template)")
    return InvalidVariables("the variables do not fit the prompt", [error])


def _lookup(path: tuple[str, ...], stack: list[Any]) -> Any:
    """Return the value at a path: the innermost scope that has its first part decides."""
    first, *rest = path
    if first == ".":
        return stack[-1]
    for scope in reversed(stack):
        if isinstance(scope, Mapping) and first in scope:
            value = scope[first]
            break
    else:
        return None
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
