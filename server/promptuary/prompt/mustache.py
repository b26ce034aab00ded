"""Mustache without HTML escaping, parsed once into a tree. Logic-less: a template can read values and nothing else.

Source: the public mustache specification (interpolation, sections, inverted, comments, partials, delimiters). What is left
out: lambdas (a value is data, never code) and HTML escaping (a prompt is no page), so `{{x}}`, `{{{x}}}` and `{{&x}}` are one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.errors import Fault, InvalidPrompt, RenderTooLarge

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
    """A part given once, once an item, or (inverted) when there is nothing."""

    name: str
    inverted: bool
    body: tuple["Node", ...]


@dataclass(frozen=True)
class Partial:
    """Another template put here, each of its lines indented as the tag was."""

    name: str
    indent: str


Node = Literal | Tag | Section | Partial
_NAME = re.compile(r"^(\.|[^\s.{}]+(\.[^\s.{}]+)*)$")


@dataclass
class _Open:
    name: str
    inverted: bool
    line: int
    body: list[Node]


@dataclass(frozen=True)
class _Mark:
    """A tag as it stands in the source: its kind (empty for a value), what it holds and where, and where the tag ends."""

    kind: str
    content: str
    at: int
    end: int


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template once; `path` is where it stands, for the fault.

    Raises:
        InvalidPrompt: naming the line of the first fault, counted in the template.
    """
    return _Parser(source, path).parse()


def references(source: str, path: str = "") -> list[str]:
    """List the names of the partials that a template puts in, each once, in the order in which they stand.

    Raises:
        InvalidPrompt: when it does not parse.
    """
    return list(dict.fromkeys(mark.content for mark in _partials(source, path)))


def renamed(source: str, mapping: Mapping[str, str], path: str = "") -> str:
    """Give the template with the names of its partials replaced by the mapping, every other character as it is.

    Raises:
        InvalidPrompt: when it does not parse, or a new name would not be read as that name where it stands (it has blanks,
            or the delimiter that ends the tag).
    """
    marks = _partials(source, path)
    out, at = [], 0
    for mark in marks:
        out += [source[at : mark.at], mapping.get(mark.content, mark.content)]
        at = mark.at + len(mark.content)
    result = "".join([*out, source[at:]])
    for mark, found in zip(marks, _partials(result, path), strict=False):
        if found.content != (name := mapping.get(mark.content, mark.content)):
            fault = Fault(path, f"'{name}' cannot stand in place of '{mark.content}' between these delimiters")
            raise InvalidPrompt("the template does not take the name", [fault])
    return result


def _partials(source: str, path: str) -> list[_Mark]:
    parser = _Parser(source, path)
    parser.parse()
    return parser.partials


class _Parser:
    """One walk over the source, tag by tag; standalone tags swallow their line as the specification says."""

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.opener, self.closer = "{{", "}}"
        self.root = _Open("", inverted=False, line=0, body=[])
        self.stack = [self.root]
        self.partials: list[_Mark] = []

    def parse(self) -> tuple[Node, ...]:
        source, at = self.source, 0
        while (start := source.find(self.opener, at)) >= 0:
            mark = self._mark(start)
            text_end, indent, end = start, "", mark.end
            if mark.kind and mark.kind in "#^/!>=":
                line_start = source.rfind("\n", 0, start) + 1
                before, rest = source[line_start:start], re.compile(r"[ \t]*(\r?\n|\Z)").match(source, end)
                if line_start >= at and not before.strip(" \t") and rest:
                    text_end, indent, end = line_start, before, rest.end()
            self._literal(source[at:text_end])
            self._node(mark, indent, start)
            at = end
        self._literal(source[at:])
        if len(self.stack) > 1:
            raise self._fault(f"section '{self.stack[-1].name}' is never closed", line=self.stack[-1].line)
        return tuple(self.root.body)

    def _mark(self, start: int) -> _Mark:
        """Read the tag that opens at `start`."""
        inside = start + len(self.opener)
        kind = self.source[inside : inside + 1]
        closer = self.closer
        if kind == "{":
            closer = "}" + closer
        elif kind == "=":
            closer = "=" + closer
        elif kind not in ("#", "^", "/", "!", ">", "&"):
            kind = ""
        inside += len(kind)
        end = self.source.find(closer, inside)
        if end < 0:
            raise self._fault(f"a tag opened with {self.opener} is never closed", at=start)
        held = self.source[inside:end].lstrip()
        return _Mark(kind, held.rstrip(), end - len(held), end + len(closer))

    def _node(self, mark: _Mark, indent: str, start: int) -> None:
        kind, content = mark.kind, mark.content
        if kind == "!":
            return
        if kind == "=":
            marks = content.split()
            if len(marks) != 2 or any("=" in mark for mark in marks):
                raise self._fault("a change of delimiters takes two marks, as in {{=<% %>=}}", at=start)
            self.opener, self.closer = marks
            return
        if not (_NAME.match(content) or (kind == ">" and content and not re.search(r"\s", content))):
            raise self._fault(f"'{content}' is no name" if content else "an empty tag", at=start)
        if kind in ("#", "^"):
            if len(self.stack) > DEPTH_LIMIT:
                raise self._fault(f"sections are nested more than {DEPTH_LIMIT} deep", at=start)
            self.stack.append(_Open(content, kind == "^", self._line(start), []))
        elif kind == "/":
            opened = self.stack.pop() if len(self.stack) > 1 else None
            if opened is None or opened.name != content:
                wanted = f"; '{opened.name}' is open" if opened else ""
                raise self._fault(f"'{content}' is closed but was not opened{wanted}", at=start)
            self.stack[-1].body.append(Section(opened.name, opened.inverted, tuple(opened.body)))
        elif kind == ">":
            self.partials.append(mark)
            self.stack[-1].body.append(Partial(content, indent))
        else:
            self.stack[-1].body.append(Tag(content))

    def _literal(self, text: str) -> None:
        if text:
            self.stack[-1].body.append(Literal(text))

    def _line(self, at: int) -> int:
        return self.source.count("\n", 0, at) + 1

    def _fault(self, message: str, *, at: int = 0, line: int | None = None) -> InvalidPrompt:
        where = f"{message} (line {line or self._line(at)} of the template)"
        return InvalidPrompt("the template does not parse", [Fault(self.path, where)])


@dataclass(frozen=True)
class Names:
    """The top-level names that a template asks for, by how it uses them."""

    values: frozenset[str]
    sections: frozenset[str]
    inner: frozenset[str]
    partials: frozenset[str]

    @property
    def everywhere(self) -> frozenset[str]:
        """The names of values, wherever they stand."""
        return self.values | self.sections | self.inner


def names(nodes: Sequence[Node], trees: Mapping[str, Sequence[Node]] | None = None) -> Names:
    """List what a template asks for. `inner` are names inside sections: an item may give them, or the outer values.

    Args:
        nodes: from `parse`.
        trees: the parsed partials by name, whose names are the template's too.
    """
    values: set[str] = set()
    sections: set[str] = set()
    inner: set[str] = set()
    partials: set[str] = set()
    walked: set[tuple[str, bool]] = set()

    def walk(nodes: Sequence[Node], inside: bool) -> None:
        for node in nodes:
            if isinstance(node, Partial):
                partials.add(node.name)
                if trees and (node.name, inside) not in walked:
                    walked.add((node.name, inside))
                    walk(trees.get(node.name, ()), inside)
            elif isinstance(node, Tag | Section) and node.name != ".":
                first = node.name.partition(".")[0]
                (inner if inside else sections if isinstance(node, Section) else values).add(first)
            if isinstance(node, Section):
                walk(node.body, inside=inside or not node.inverted)

    walk(nodes, inside=False)
    return Names(frozenset(values), frozenset(sections), frozenset(inner), frozenset(partials))


def render(nodes: Sequence[Node], values: Mapping[str, Any], *, limit: int, partials: Mapping[str, str] | None = None) -> str:
    """Render a parsed template; what has no value is empty.

    Args:
        nodes: from `parse`.
        values: JSON values by name; they are data, a tag inside one is not read.
        limit: the most characters of output; each turn of a section and each partial counts as one more.
        partials: template sources by name; one that is missing is empty.

    Raises:
        RenderTooLarge: when the output passes the limit.
    """
    return Renderer(limit, partials).render(nodes, values)


class Renderer:
    """Renders several templates under one limit. What gives no output counts too, so that no loop runs for nothing."""

    def __init__(self, limit: int, partials: Mapping[str, str] | None = None) -> None:
        self.limit = limit
        self.partials = partials or {}
        self.size = 0
        self.depth = 0

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any]) -> str:
        """Render one template; raises RenderTooLarge when all of them together pass the limit."""
        out: list[str] = []
        self._into(out, nodes, [values])
        return "".join(out)

    def _into(self, out: list[str], nodes: Sequence[Node], stack: list[Any]) -> None:
        for node in nodes:
            if isinstance(node, Literal):
                self._put(out, node.text)
            elif isinstance(node, Tag):
                self._put(out, text_of(_lookup(node.name, stack)))
            elif isinstance(node, Section):
                self._section(out, node, _lookup(node.name, stack), stack)
            elif node.name in self.partials:
                self._partial(out, node, stack)

    def _section(self, out: list[str], node: Section, value: Any, stack: list[Any]) -> None:
        empty = value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value)
        if node.inverted:
            if empty:
                self._into(out, node.body, stack)
        elif isinstance(value, list | tuple):
            for item in value:
                self._count(1)
                self._into(out, node.body, [*stack, item])
        elif not empty:
            self._into(out, node.body, [*stack, value])

    def _partial(self, out: list[str], node: Partial, stack: list[Any]) -> None:
        source = self.partials[node.name]
        if node.indent:
            source = re.sub(r"(?m)^(?=.|\n)", node.indent, source)
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise RenderTooLarge(f"partials are nested more than {DEPTH_LIMIT} deep")
        self._count(1)
        self._into(out, parse(source, node.name), stack)
        self.depth -= 1

    def _put(self, out: list[str], text: str) -> None:
        self._count(len(text))
        out.append(text)

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self.limit:
            raise RenderTooLarge(f"the rendered prompt is over the limit of {self.limit} characters; shorten the values")


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


def text_of(value: Any) -> str:
    """Give a value as a prompt shows it: text as it is, nothing for null, JSON for the rest (`true`, `1.21`, `{"a": 1}`)."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
