"""Paths of templates that lead nowhere by the declarations: into a text, or to a member that an object does not have.

Only what is declared decides. A name that an undeclared value around it could have is not checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptuary.prompt.content import Placeholder
from promptuary.prompt.errors import FieldError
from promptuary.prompt.templates.expressions.calls import FilterCall, TestCall
from promptuary.prompt.templates.expressions.expression import Expression, operands
from promptuary.prompt.templates.expressions.literals import Constant
from promptuary.prompt.templates.expressions.lookups import ItemLookup, NameLookup
from promptuary.prompt.templates.lookup.paths import is_index
from promptuary.prompt.templates.prepared import PreparedPrompt, passages_schema
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Partial, Section, Tag
from promptuary.prompt.variables import Property, Schema

_SHOWN_MEMBERS = 8
_PARTIAL_NODES = 200_000
"""The most nodes of partials that are visited from all templates of a content; partials in partials could have any number."""
UNKNOWN = Schema()
_Scopes = tuple[Mapping[str, Schema] | None, ...]
"""The declared names of the scopes, the innermost last; None for a scope of which nothing is declared."""


def path_errors(prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield an error for each path that leads to no value by the declarations, with its line and what is there instead."""
    content = prepared.content
    top: dict[str, Schema] = {**content.variables}
    if content.context:
        top[content.context.into] = passages_schema()
    items = passages_schema().items
    passage = items.properties if items else None
    walk = _Walk(prepared.trees)
    for parts, scopes in ((prepared.parts, (top,)), (prepared.turns, (top, passage or {}))):
        for part in parts:
            for place, nodes in () if isinstance(part, Placeholder) else part.templates():
                walk.visit_template(place, nodes, scopes)
    walk.visit_template("context.query", prepared.query, (top,))
    yield from dict.fromkeys(walk.field_errors)


@dataclass
class _Walk:
    """One walk over the templates of a content, each with its partials."""

    trees: Mapping[str, Sequence[Node]]
    field_errors: list[FieldError] = field(default_factory=list)
    place: str = ""
    partial: str = ""
    partial_nodes: int = 0

    def visit_template(self, place: str, nodes: Sequence[Node], scopes: _Scopes) -> None:
        """Visit a template; `place` is its path in the content."""
        self.place = place
        self.visit(nodes, scopes, 0)

    def visit(self, nodes: Sequence[Node], scopes: _Scopes, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            return
        for node in nodes:
            self.partial_nodes += bool(self.partial)
            if self.partial and self.partial_nodes > _PARTIAL_NODES:
                return
            if isinstance(node, Tag):
                self._path_schema(node.path, scopes, node.line)
            elif isinstance(node, Section):
                schema = self._path_schema(node.path, scopes, node.line)
                self.visit(node.body, scopes if node.inverted else (*scopes, *_section_scope(schema)), depth + 1)
            elif isinstance(node, Output):
                self._expression_schema(node.expression, scopes, node.line)
            elif isinstance(node, If):
                for test, body in node.branches:
                    self._expression_schema(test, scopes, node.line)
                    self.visit(body, scopes, depth + 1)
                self.visit(node.otherwise, scopes, depth + 1)
            elif isinstance(node, For):
                self._visit_for(node, scopes, depth)
            elif isinstance(node, Partial):
                self._visit_partial(node.name, scopes, depth)
            else:
                assert isinstance(node, Literal)

    def _visit_for(self, node: For, scopes: _Scopes, depth: int) -> None:
        over = self._expression_schema(node.over, scopes, node.line)
        item = (over.items or UNKNOWN) if len(node.names) == 1 and over.type == "array" else UNKNOWN
        names = dict.fromkeys([*node.names, "loop"], UNKNOWN) | ({node.names[0]: item} if len(node.names) == 1 else {})
        inner = (*scopes, names)
        if node.test is not None:
            self._expression_schema(node.test, inner, node.line)
        self.visit(node.body, inner, depth + 1)
        self.visit(node.otherwise, scopes, depth + 1)

    def _visit_partial(self, name: str, scopes: _Scopes, depth: int) -> None:
        outer, self.partial = self.partial, name
        self.visit(self.trees.get(name, ()), scopes, depth + 1)
        self.partial = outer

    def _path_schema(self, path: tuple[str, ...], scopes: _Scopes, line: int) -> Schema:
        """Return the schema at a path of mustache; an unknown one where nothing is declared, or after an error."""
        first, *rest = path
        schema = UNKNOWN if first == "." else _lookup(first, scopes)
        for number, part in enumerate(rest, 1):
            if schema is passages_schema():  # one text, or a list where a section opens it
                return UNKNOWN
            reason, schema = _member(schema, part, is_position=is_index(part))
            if reason is not None:
                self._add_error(".".join(path), ".".join(path[:number]), reason, line)
        return schema

    def _expression_schema(self, expression: Expression, scopes: _Scopes, line: int) -> Schema:
        """Return the schema of an expression of Jinja; what only asks whether there is a value may lead nowhere."""
        if isinstance(expression, NameLookup):
            return _lookup(expression.name, scopes)
        if isinstance(expression, ItemLookup) and isinstance(expression.key, Constant):
            whole = self._expression_schema(expression.of, scopes, line)
            key = expression.key.constant
            is_position = isinstance(key, int) and not isinstance(key, bool)
            if whole is passages_schema() or (whole.type == "string" and is_position):
                return UNKNOWN
            reason, schema = _member(whole, str(key), is_position=is_position)
            if reason is not None:
                of = _source(expression.of)
                self._add_error(f"{of}.{key}", of, reason, line)
            return schema
        if isinstance(expression, TestCall) and expression.name in ("defined", "undefined"):
            return UNKNOWN
        if isinstance(expression, FilterCall) and expression.name in ("default", "d"):
            return UNKNOWN
        for operand in operands(expression):
            self._expression_schema(operand, scopes, line)
        return UNKNOWN

    def _add_error(self, path: str, whole: str, reason: str, line: int) -> None:
        template = f"the partial '{self.partial}'" if self.partial else "the template"
        self.field_errors.append(
            FieldError(self.place, f"'{path}' has no value: '{whole}' {reason} (line {line} of {template})")
        )


def _lookup(name: str, scopes: _Scopes) -> Schema:
    """Return the schema of a name: of the innermost scope that has it; a member that may be missing is unknown."""
    for scope in reversed(scopes):
        if scope is None or _may_be_missing(scope.get(name)):
            return UNKNOWN
        if name in scope:
            return scope[name]
    return UNKNOWN


def _may_be_missing(schema: Schema | None) -> bool:
    return isinstance(schema, Property) and not schema.required


def _section_scope(schema: Schema) -> tuple[Mapping[str, Schema] | None, ...]:
    """Return the scope that a section over a value opens; none where it has no names."""
    if schema.type == "array":
        schema = schema.items or UNKNOWN
    if schema.type in ("string", "integer", "number", "boolean"):
        return ()
    return (schema.properties,)


def _member(schema: Schema, part: str, *, is_position: bool) -> tuple[str | None, Schema]:
    """Return why a value has no such member, and the member's schema; no reason where it may have one."""
    if schema.type == "array":
        if is_position:
            return None, schema.items or UNKNOWN
        return "is declared as array, so it has items and no members: write a loop or a section, or a position", UNKNOWN
    if schema.type == "object":
        if schema.properties is None:
            return None, UNKNOWN
        if part in schema.properties:
            return None, schema.properties[part]
        names = [*schema.properties][:_SHOWN_MEMBERS] + ["…"] * (len(schema.properties) > _SHOWN_MEMBERS)
        members = f"with the members {', '.join(names)}" if names else "without members"
        return f"is declared {members}: add '{part}' to its properties", UNKNOWN
    if schema.type is not None:
        return f"is declared as {schema.type}, which has no members: declare it as object, or shorten the path", UNKNOWN
    return None, UNKNOWN


def _source(expression: Expression) -> str:
    if isinstance(expression, NameLookup):
        return expression.name
    if isinstance(expression, ItemLookup) and isinstance(expression.key, Constant):
        return f"{_source(expression.of)}.{expression.key.constant}"
    return "the value"
