"""Mustache without HTML escaping, parsed to a tree. Templates have no logic: they read values and nothing else.

Source: the public mustache specification (interpolation, sections, inverted sections, comments, partials, delimiters). Two
things are left out: lambdas, because a value is data and never code, and HTML escaping, because a prompt is not a web page.
So `{{x}}`, `{{{x}}}` and `{{&x}}` mean the same.
"""

import re
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.other_syntax import advice_for_tag
from promptuary.prompt.templates.tree import DEPTH_LIMIT, Literal, Node, Partial, Section, Tag

__all__ = ["DEPTH_LIMIT", "Literal", "Node", "Partial", "Section", "Tag", "parse", "partial_names", "rename_partials"]

_NAME = re.compile(r"^(\.|[^\s.{}]+(\.[^\s.{}]+)*)$")
_REST_OF_LINE = re.compile(r"[ \t]*(\r?\n|\Z)")
_STANDALONE = frozenset("#^/!>=")
"""The types of tags that, alone on their line, remove the line."""


@dataclass
class _OpenSection:
    name: str
    inverted: bool
    position: int
    body: list[Node]


@dataclass(frozen=True)
class _TagSource:
    """A tag in the source.

    Attributes:
        type: its first character, empty for a value.
        content: what it contains, without blanks around it.
        position: where the content begins.
        end: where the tag ends.
    """

    type: str
    content: str
    position: int
    end: int


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template.

    Args:
        source: the template.
        path: the template's field, for errors.

    Raises:
        InvalidPrompt: with the line of the first error, counted in the template.
    """
    return _Parser(source, path).parse()


def partial_names(source: str, path: str = "") -> list[str]:
    """Return the names of the partials that a template includes, each once, in their order.

    Raises:
        InvalidPrompt: the template does not parse.
    """
    return list(dict.fromkeys(tag.content for tag in _partials(source, path)))


def rename_partials(source: str, mapping: Mapping[str, str], path: str = "") -> str:
    """Return the template with the names of its partials replaced, and every other character as it is.

    Args:
        source: the template.
        mapping: new names by today's names; a name that is not in it stays.
        path: the template's field, for errors.

    Raises:
        InvalidPrompt: the template does not parse, or a new name could not be read in its place: it has blanks, or the
            delimiter that ends the tag.
    """
    tags = _partials(source, path)
    pieces, position = [], 0
    for tag in tags:
        pieces += [source[position : tag.position], mapping.get(tag.content, tag.content)]
        position = tag.position + len(tag.content)
    result = "".join([*pieces, source[position:]])
    for tag, new_tag in zip(tags, _partials(result, path), strict=False):
        name = mapping.get(tag.content, tag.content)
        if new_tag.content != name:
            error = FieldError(path, f"'{name}' cannot replace '{tag.content}' between these delimiters")
            raise InvalidPrompt("the template cannot contain the name", [error])
    return result


def _partials(source: str, path: str) -> list[_TagSource]:
    parser = _Parser(source, path)
    parser.parse()
    return parser.partials


class _Parser:
    """One pass over the source, tag by tag. A standalone tag removes its line, as the specification has it."""

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.opener, self.closer = "{{", "}}"
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", source))]
        self.root = _OpenSection("", inverted=False, position=0, body=[])
        self.stack = [self.root]
        self.partials: list[_TagSource] = []

    def parse(self) -> tuple[Node, ...]:
        source, position = self.source, 0
        while (start := source.find(self.opener, position)) >= 0:
            tag = self._read_tag(start)
            text_end, indent, end = start, "", tag.end
            if tag.type in _STANDALONE:
                line_start = source.rfind("\n", position, start) + 1 or position
                before, rest = source[line_start:start], _REST_OF_LINE.match(source, end)
                if (line_start == 0 or source[line_start - 1] == "\n") and not before.strip(" \t") and rest:
                    text_end, indent, end = line_start, before, rest.end()
            self._add_literal(source[position:text_end])
            self._add_tag(tag, indent, start)
            position = end
        self._add_literal(source[position:])
        if len(self.stack) > 1:
            self._fail(f"section '{_shorten(self.stack[-1].name)}' is never closed", self.stack[-1].position)
        return tuple(self.root.body)

    def _read_tag(self, start: int) -> _TagSource:
        """Read the tag that opens at `start`."""
        inside = start + len(self.opener)
        tag_type = self.source[inside : inside + 1]
        closer = self.closer
        if tag_type == "{":
            closer = "}" + closer
        elif tag_type == "=":
            closer = "=" + closer
        elif tag_type not in ("#", "^", "/", "!", ">", "&"):
            tag_type = ""
        inside += len(tag_type)
        end = self.source.find(closer, inside)
        if end < 0:
            self._fail(f"a tag opened with {self.opener} is never closed", start)
        content = self.source[inside:end].lstrip()
        return _TagSource(tag_type, content.rstrip(), end - len(content), end + len(closer))

    def _add_tag(self, tag: _TagSource, indent: str, start: int) -> None:
        if tag.type == "!":
            return
        if tag.type == "=":
            self._set_delimiters(tag.content, start)
            return
        self._check_name(tag, start)
        if tag.type in ("#", "^"):
            if len(self.stack) > DEPTH_LIMIT:
                self._fail(f"sections are nested more than {DEPTH_LIMIT} deep", start)
            self.stack.append(_OpenSection(tag.content, tag.type == "^", start, []))
        elif tag.type == "/":
            self._close_section(tag.content, start)
        elif tag.type == ">":
            self.partials.append(tag)
            self.stack[-1].body.append(Partial(tag.content, indent))
        else:
            self.stack[-1].body.append(Tag(tag.content, self._line(start)))

    def _set_delimiters(self, content: str, start: int) -> None:
        delimiters = content.split()
        if len(delimiters) != 2 or any("=" in delimiter for delimiter in delimiters):
            self._fail("a change of delimiters needs two of them, as in {{=<% %>=}}", start)
        self.opener, self.closer = delimiters

    def _check_name(self, tag: _TagSource, start: int) -> None:
        is_partial = tag.type == ">"
        if not (_NAME.match(tag.content) or (is_partial and tag.content and not re.search(r"\s", tag.content))):
            advice = advice_for_tag(tag.type, tag.content)
            message = f"'{_shorten(tag.content)}' is not a name" if tag.content else "an empty tag"
            self._fail(f"{message}; {advice}" if advice else message, start)
        if tag.content.count(".") >= DEPTH_LIMIT and not is_partial:
            self._fail(f"'{_shorten(tag.content)}' looks more than {DEPTH_LIMIT} deep", start)

    def _close_section(self, name: str, start: int) -> None:
        section = self.stack.pop() if len(self.stack) > 1 else None
        if section is None or section.name != name:
            expected = f"; '{_shorten(section.name)}' is open" if section else ""
            if advice := advice_for_tag("/", name):
                expected += f"; {advice}"
            self._fail(f"'{_shorten(name)}' is closed but was not opened{expected}", start)
        line = self._line(section.position)
        self.stack[-1].body.append(Section(section.name, section.inverted, tuple(section.body), line))

    def _add_literal(self, text: str) -> None:
        if text:
            self.stack[-1].body.append(Literal(text))

    def _line(self, position: int) -> int:
        """Return the line of a position, from 1."""
        return bisect(self.line_starts, position)

    def _fail(self, message: str, position: int) -> NoReturn:
        line = self._line(position)
        column = position - self.line_starts[line - 1] + 1
        error = FieldError(self.path, f"{message} (line {line}, column {column} of the template)")
        raise InvalidPrompt("the template does not parse", [error])


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"
