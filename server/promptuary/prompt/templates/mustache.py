"""Mustache without HTML escaping, parsed once into a tree. Logic-less: a template can read values and nothing else.

Source: the public mustache specification (interpolation, sections, inverted, comments, partials, delimiters). What is left
out: lambdas (a value is data, never code) and HTML escaping (a prompt is no page), so `{{x}}`, `{{{x}}}` and `{{&x}}` are one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.tree import DEPTH_LIMIT, Literal, Node, Partial, Section, Tag

__all__ = ["DEPTH_LIMIT", "Literal", "Node", "Partial", "Section", "Tag", "parse", "partial_names", "rename_partials"]

_NAME = re.compile(r"^(\.|[^\s.{}]+(\.[^\s.{}]+)*)$")
_REST_OF_LINE = re.compile(r"[ \t]*(\r?\n|\Z)")


@dataclass
class _Open:
    name: str
    inverted: bool
    at: int
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


def partial_names(source: str, path: str = "") -> list[str]:
    """List the names of the partials that a template puts in, each once, in the order in which they stand.

    Raises:
        InvalidPrompt: when it does not parse.
    """
    return list(dict.fromkeys(mark.content for mark in _partials(source, path)))


def rename_partials(source: str, mapping: Mapping[str, str], path: str = "") -> str:
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
            fault = FieldError(path, f"'{name}' cannot stand in place of '{mark.content}' between these delimiters")
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
        self.root = _Open("", inverted=False, at=0, body=[])
        self.stack = [self.root]
        self.partials: list[_Mark] = []

    def parse(self) -> tuple[Node, ...]:
        source, at = self.source, 0
        while (start := source.find(self.opener, at)) >= 0:
            mark = self._mark(start)
            text_end, indent, end = start, "", mark.end
            if mark.kind and mark.kind in "#^/!>=":
                line_start = source.rfind("\n", at, start) + 1 or at
                before, rest = source[line_start:start], _REST_OF_LINE.match(source, end)
                if (line_start == 0 or source[line_start - 1] == "\n") and not before.strip(" \t") and rest:
                    text_end, indent, end = line_start, before, rest.end()
            self._literal(source[at:text_end])
            self._node(mark, indent, start)
            at = end
        self._literal(source[at:])
        if len(self.stack) > 1:
            raise self._fault(f"section '{_short(self.stack[-1].name)}' is never closed", self.stack[-1].at)
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
            raise self._fault(f"a tag opened with {self.opener} is never closed", start)
        held = self.source[inside:end].lstrip()
        return _Mark(kind, held.rstrip(), end - len(held), end + len(closer))

    def _node(self, mark: _Mark, indent: str, start: int) -> None:
        kind, content = mark.kind, mark.content
        if kind == "!":
            return
        if kind == "=":
            marks = content.split()
            if len(marks) != 2 or any("=" in mark for mark in marks):
                raise self._fault("a change of delimiters takes two marks, as in {{=<% %>=}}", start)
            self.opener, self.closer = marks
            return
        if not (_NAME.match(content) or (kind == ">" and content and not re.search(r"\s", content))):
            raise self._fault(f"'{_short(content)}' is no name" if content else "an empty tag", start)
        if content.count(".") >= DEPTH_LIMIT and kind != ">":
            raise self._fault(f"'{_short(content)}' looks more than {DEPTH_LIMIT} deep", start)
        if kind in ("#", "^"):
            if len(self.stack) > DEPTH_LIMIT:
                raise self._fault(f"sections are nested more than {DEPTH_LIMIT} deep", start)
            self.stack.append(_Open(content, kind == "^", start, []))
        elif kind == "/":
            opened = self.stack.pop() if len(self.stack) > 1 else None
            if opened is None or opened.name != content:
                wanted = f"; '{_short(opened.name)}' is open" if opened else ""
                raise self._fault(f"'{_short(content)}' is closed but was not opened{wanted}", start)
            self.stack[-1].body.append(Section(opened.name, opened.inverted, tuple(opened.body)))
        elif kind == ">":
            self.partials.append(mark)
            self.stack[-1].body.append(Partial(content, indent))
        else:
            self.stack[-1].body.append(Tag(content))

    def _literal(self, text: str) -> None:
        if text:
            self.stack[-1].body.append(Literal(text))

    def _fault(self, message: str, at: int) -> InvalidPrompt:
        line = self.source.count("\n", 0, at) + 1
        return InvalidPrompt("the template does not parse", [FieldError(self.path, f"{message} (line {line} of the template)")])


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"
