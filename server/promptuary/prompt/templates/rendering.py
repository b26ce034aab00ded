"""The one renderer of every format: it fills a parsed template with values, under one budget for all messages of a prompt."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.prompt.errors import FieldError, InvalidVariables, RenderTooLarge
from promptuary.prompt.templates import mustache
from promptuary.prompt.templates.expressions.expression import Expression
from promptuary.prompt.templates.expressions.lookups import first_name
from promptuary.prompt.templates.lookup.paths import MissingValue, look_up
from promptuary.prompt.templates.render_budget import RenderBudget
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Partial, Section, Tag
from promptuary.prompt.templates.value import TypeMismatch, Undefined, to_text

SCOPES_LIMIT = 200


def render(nodes: Sequence[Node], values: Mapping[str, Any], *, limit: int, partials: Mapping[str, str] | None = None) -> str:
    """Render a parsed template; a name without a value, and a path that leads to none, is empty.

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

    def __init__(
        self, limit: int, partials: Mapping[str, str] | None = None, *, strict: bool = False, shows_members: bool = True
    ) -> None:
        """Prepare a renderer.

        Args:
            limit: the most characters of output.
            partials: mustache sources by name.
            strict: whether a name or path without a value is an error where its text is output. A section, a test and a loop
                only test the value. What the values declare as optional (`DeclaredObject`) is empty all the same.
            shows_members: whether an error may name the members that an object has.
        """
        self.budget = RenderBudget(limit, strict=strict)
        self.partials = partials or {}
        self.shows_members = shows_members
        self.sections: list[str] = []
        self.place = ""
        self.depth = 0
        self._parsed: dict[tuple[str, str], tuple[Node, ...]] = {}

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any], place: str = "the template") -> str:
        """Render one template.

        Args:
            nodes: the template.
            values: JSON values by name.
            place: the template in an error, after "line 1 of".

        Raises:
            InvalidVariables: a value is missing, or has a type on which an expression does not work; no error repeats a value.
            RenderTooLarge: all templates together are over the budget.
        """
        output: list[str] = []
        self.place = place
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
                self._write_value(output, self._value(node, stack))
            elif isinstance(node, Section):
                self._render_section(output, node, self._value(node, stack), stack)
            elif isinstance(node, Partial):
                if node.name in self.partials:
                    self._render_partial(output, node, stack)
            elif isinstance(node, Output):
                self._write_value(output, self._output_value(node, stack))
            elif isinstance(node, If):
                self._render_nodes(output, self._branch(node, stack), stack)
            else:
                self._render_loop(output, node, stack)

    def _value(self, node: Tag | Section, stack: list[Any]) -> Any:
        """Return the value of a tag or a section; null where it has none and that is no error."""
        value = look_up(node.path, stack)
        if not isinstance(value, MissingValue):
            return value
        if not self.budget.strict or value.optional or (value.absent and isinstance(node, Section)):
            return None
        if value.position:
            path, message = ".".join(node.path[: value.position + 1]), value.describe(node.path, members=self.shows_members)
        else:
            path, message = node.path[0], "has no value"
            if self.sections:
                item = ", and its item has no such member" if len(stack) > 1 and isinstance(stack[-1], Mapping) else ""
                message = f"has no value, and the section '{self.sections[-1]}' uses it{item}"
        raise self._invalid_value(path, message, node.line)

    def _output_value(self, node: Output, stack: list[Any]) -> Any:
        value = self._evaluate(node.expression, node.line, stack)
        if isinstance(value, Undefined) and value.reason is not None:
            raise self._invalid_value(value.name or first_name(node.expression), value.reason, node.line)
        return value

    def _render_section(self, output: list[str], node: Section, value: Any, stack: list[Any]) -> None:
        empty = value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value)
        if node.inverted != empty:
            return
        self.sections.append(node.name)
        if node.inverted:
            self._render_nodes(output, node.body, stack)
        elif isinstance(value, list | tuple):
            for item in value:
                self.budget.add_output(1)
                self._render_nodes(output, node.body, [*stack, item])
        else:
            self._render_nodes(output, node.body, [*stack, value])
        self.sections.pop()

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
        outer_place, self.place = self.place, f"'{node.name}'"
        self._render_nodes(output, self._parsed[key], stack)
        self.place = outer_place
        self.depth -= 1

    def _branch(self, node: If, stack: list[Any]) -> tuple[Node, ...]:
        for test, body in node.branches:
            if self._evaluate(test, node.line, stack):
                return body
        return node.otherwise

    def _render_loop(self, output: list[str], node: For, stack: list[Any]) -> None:
        scopes = [self._loop_scope(node, item) for item in self._items(node, stack)]
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
        if isinstance(value, Undefined):
            return ()
        if not isinstance(value, list | tuple | Mapping):
            raise self._invalid_value(first_name(node.over), "a loop iterates over a list", node.line)
        self.budget.add_steps(len(value))
        return list(value)

    def _evaluate(self, expression: Expression, line: int, stack: list[Any]) -> Any:
        try:
            return expression.value(stack, self.budget)
        except TypeMismatch as error:
            raise self._invalid_value(error.name or first_name(expression), str(error), line) from None

    def _write_value(self, output: list[str], value: Any) -> None:
        self._write(output, to_text(value))

    def _write(self, output: list[str], text: str) -> None:
        self.budget.add_output(len(text))
        output.append(text)

    def _loop_scope(self, node: For, item: Any) -> dict[str, Any]:
        """Return the loop variables of one round; several of them unpack the item."""
        count = len(node.names)
        if count == 1:
            return {node.names[0]: item}
        if not isinstance(item, list | tuple) or len(item) != count:
            message = f"the loop unpacks each item, so each must be a list of {count}"
            raise self._invalid_value(first_name(node.over), message, node.line)
        return dict(zip(node.names, item, strict=True))

    def _invalid_value(self, path: str | None, message: str, line: int) -> InvalidVariables:
        error = FieldError(path or "template", f"{message} (line {line} of {self.place})")
        return InvalidVariables("the variables do not fit the prompt", [error])
