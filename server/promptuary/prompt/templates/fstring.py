"""The f-string format: `{name}`, and `{{` and `}}` for braces.

Neither `str.format` nor `string.Formatter` parses it. Both accept attributes, indexes, conversions and widths: `{x.__class__}`
reads Python objects, and `{x:9999999999}` fills the memory. Their parser also drops what this one must report: which brace of
which line is wrong. The parse result is the tree of the mustache format, so both formats render and convert alike.
"""

import re

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.tree import Literal, Node, Tag

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SHOWN_CHARACTERS = 80


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template.

    Args:
        source: the template.
        path: the template's field, for errors.

    Raises:
        InvalidPrompt: a single brace, or anything in braces that is not a name.
    """
    nodes: list[Node] = []
    position = 0
    for match in _PIECE.finditer(source):
        if match.start() > position:
            nodes.append(Literal(source[position : match.start()]))
        position = match.end()
        piece, name = match.group(0), match.group(1)
        if piece in ("{{", "}}"):
            nodes.append(Literal(piece[0]))
        elif name is not None and _NAME.match(name):
            nodes.append(Tag(name))
        else:
            line = source.count("\n", 0, match.start()) + 1
            column = match.start() - source.rfind("\n", 0, match.start())
            error = FieldError(path, f"{_problem(piece, name)} (line {line}, column {column} of the template)")
            raise InvalidPrompt("the template does not parse", [error])
    if position < len(source):
        nodes.append(Literal(source[position:]))
    return tuple(nodes)


def _problem(piece: str, name: str | None) -> str:
    if name is None:
        return f"a lone '{piece}' (write '{piece * 2}')"
    shortened = piece if len(piece) <= _SHOWN_CHARACTERS else piece[:_SHOWN_CHARACTERS] + "…"
    return f"'{shortened}' is not a name"
