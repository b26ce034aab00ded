"""The parsed form of a template: one kind of tree for all formats, which one renderer walks."""

from dataclasses import dataclass, field
from functools import cached_property

from promptuary.prompt.templates.expressions.expression import Expression

DEPTH_LIMIT = 32


@dataclass(frozen=True)
class Literal:
    """Text that is output as it is."""

    text: str


@dataclass(frozen=True)
class Tag:
    """A place for a value: `{{name}}`, `{{a.b}}` or `{{.}}`.

    Attributes:
        name: the name in the tag.
        line: the line of the template, from 1.
        dotted: whether a dot in the name leads into an object. In the format `simple` it does not: `a.b` is one name.
    """

    name: str
    line: int = field(default=1, compare=False)
    dotted: bool = field(default=True, compare=False)

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The name of the variable, and the members that lead to the value."""
        return _path(self.name) if self.dotted else (self.name,)


@dataclass(frozen=True)
class Section:
    """Mustache: a part that is output once, once an item, or, if inverted, where there is no value."""

    name: str
    inverted: bool
    body: tuple["Node", ...]
    line: int = field(default=1, compare=False)

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The name of the variable, and the members that lead to the value."""
        return _path(self.name)


@dataclass(frozen=True)
class Partial:
    """Mustache: another template that is included here, each of its lines indented as the tag is."""

    name: str
    indent: str


@dataclass(frozen=True)
class Output:
    """Jinja: a place for the value of an expression."""

    expression: Expression
    line: int


@dataclass(frozen=True)
class If:
    """Jinja: the first branch whose test is true, else the other part."""

    branches: tuple[tuple[Expression, tuple["Node", ...]], ...]
    otherwise: tuple["Node", ...]
    line: int


@dataclass(frozen=True)
class For:
    """Jinja: a part that is output once for each item that passes the test (if there is one), else the other part.

    `names` are the loop variables. With more than one of them, each item is a list that is unpacked into them.
    """

    names: tuple[str, ...]
    over: Expression
    test: Expression | None
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]
    line: int


def _path(name: str) -> tuple[str, ...]:
    return (name,) if name == "." else tuple(name.split("."))


Node = Literal | Tag | Section | Partial | Output | If | For
