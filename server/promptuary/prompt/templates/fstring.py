"""The f-string format, names only: `{name}`, `{{` and `}}`. No attribute, index or conversion: `str.format` is not used."""

import re

from promptuary.prompt.errors import FieldError, InvalidPrompt
from promptuary.prompt.templates.tree import Literal, Node, Tag

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse into the tree that mustache has, so that both render and convert alike.

    Raises:
        InvalidPrompt: for a lone brace, or anything in braces that is not a name.
    """
    nodes: list[Node] = []
    at = 0
    for match in _PIECE.finditer(source):
        if match.start() > at:
            nodes.append(Literal(source[at : match.start()]))
        at = match.end()
        piece, name = match.group(0), match.group(1)
        if piece in ("{{", "}}"):
            nodes.append(Literal(piece[0]))
        elif name is not None and _NAME.match(name):
            nodes.append(Tag(name))
        else:
            line = source.count("\n", 0, match.start()) + 1
            what = (
                f"'{piece if len(piece) <= 80 else piece[:80] + '…'}' is no name"
                if name is not None
                else f"a lone '{piece}' (write '{piece * 2}')"
            )
            raise InvalidPrompt("the template does not parse", [FieldError(path, f"{what} (line {line} of the template)")])
    if at < len(source):
        nodes.append(Literal(source[at:]))
    return tuple(nodes)
