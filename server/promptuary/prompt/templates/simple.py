"""The simple format: `{{name}}` is a variable, and everything else is text. No template is malformed.

The SDKs of other registries fill in variables so. A name is what MLflow's SDK reads as one, and Langfuse's SDK agrees: ASCII
letters, digits and `_`, no digit first, joined by dots. A dot is a part of the name and leads into no object.

Where the two SDKs differ, this format reads as MLflow's: `{{{name}}}` is a value in braces, and `{{ "a": {{name}} }}` has a
variable. Langfuse's SDK reads from `{{` to the next `}}` and leaves both as they are, so it receives neither.
"""

import re

from promptuary.prompt.templates.tree import Literal, Node, Tag

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_VARIABLE = re.compile(rf"\{{\{{\s*({_NAME})\s*\}}\}}")


def is_name(text: str) -> bool:
    """Return whether a text is the name of a variable in this format."""
    return re.fullmatch(_NAME, text) is not None


def parse(source: str, path: str = "") -> tuple[Node, ...]:
    """Parse a template.

    Args:
        source: the template.
        path: the template's field. Other formats name it in errors; this one has none.
    """
    nodes: list[Node] = []
    position = 0
    for match in _VARIABLE.finditer(source):
        if match.start() > position:
            nodes.append(Literal(source[position : match.start()]))
        nodes.append(Tag(match.group(1), dotted=False))
        position = match.end()
    if position < len(source):
        nodes.append(Literal(source[position:]))
    return tuple(nodes)
