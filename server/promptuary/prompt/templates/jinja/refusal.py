"""What a Jinja template may not contain, and how its refusal is reported."""

from typing import Any, NoReturn

_CALLED = {
    "Assign": "'set'",
    "AssignBlock": "'set'",
    "Block": "'block'",
    "Call": "a call",
    "CallBlock": "'call'",
    "Dict": "an object that is written out",
    "Extends": "'extends'",
    "FilterBlock": "'filter' as a block",
    "FromImport": "'from … import'",
    "Import": "'import'",
    "Include": "'include'",
    "Macro": "'macro'",
    "Pow": "'**'",
    "Pos": "'+' before a value",
    "ScopedEvalContextModifier": "'autoescape'",
    "Scope": "'autoescape'",
    "With": "'with'",
}
"""The nodes of jinja2's tree as authors know them."""


class TemplateRefusal(Exception):
    """A template uses what is not supported.

    Attributes:
        line: the line of the template, from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        """Keep the message and the line."""
        super().__init__(message)
        self.line = line


def refuse_node(node: Any) -> NoReturn:
    """Refuse a node of jinja2's tree by the name that authors know.

    Raises:
        TemplateRefusal: always.
    """
    node_type = type(node).__name__
    raise TemplateRefusal(f"{_CALLED.get(node_type, node_type)} is not supported in a prompt", node.lineno)


def public_name(name: str, line: int) -> str:
    """Return a name; refuse it if it begins with `_`, as Python's internal attributes do.

    Raises:
        TemplateRefusal: the name begins with `_`.
    """
    if name.startswith("_"):
        raise TemplateRefusal(f"'{name[:80]}' begins with '_', which no name in a template does", line)
    return name
