"""Arguments of tool calls that can be no JSON, whatever the values are. They are refused when a content is registered.

A template with sections or branches is tried with each combination of them; it is refused where none becomes JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

from promptuary.prompt.content import Placeholder
from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.message import FieldKind
from promptuary.prompt.templates.json_text import JsonPosition, NotJson, check_json, is_whole_value
from promptuary.prompt.templates.message_templates import FieldTemplate, StructuredMessageTemplate
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Partial, Section

_COMBINATIONS = 64
_CHARACTERS = 1_000_000
"""The most combinations of sections and branches that are tried, and the most characters of all of them together."""
_REMEDY = "write each value inside quotes, or in place of a whole JSON value"


class _Unknown(Exception):
    """The text depends on a partial that is not known yet."""


def argument_errors(prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield an error for the arguments of each tool call that can never become JSON."""
    for part in (*prepared.parts, *prepared.turns):
        if isinstance(part, Placeholder) or not isinstance(part, StructuredMessageTemplate):
            continue
        for field in part.fields:
            if field.kind is FieldKind.ARGUMENTS and (message := _error(field, prepared)) is not None:
                yield FieldError(field.place, message)


def _error(field: FieldTemplate, prepared: PreparedPrompt) -> str | None:
    nodes = field.nodes
    if all(isinstance(node, Literal) for node in nodes):
        return _literal_error("".join(node.text for node in nodes if isinstance(node, Literal)))
    if is_whole_value(nodes):
        return None
    choices = dict(_choices(nodes, prepared.trees, 0))
    combinations = prod(choices.values())
    if combinations > _COMBINATIONS or combinations * _size(nodes) > _CHARACTERS:
        return None
    message = None
    for numbers in product(*(range(count) for count in choices.values())):
        sample = _Sample(prepared.trees, dict(zip(choices, numbers, strict=True)))
        try:
            sample.add(nodes, 0)
            check_json("".join(sample.texts))
        except NotJson as error:
            message = message or f"{error} with any values, such as x; {_REMEDY}"
        except _Unknown:
            return None
        else:
            return None
    return message


def _literal_error(text: str) -> str | None:
    try:
        check_json(text)
    except NotJson as error:
        return f"{error}; a call without arguments has {{}}"
    return None


def _choices(nodes: Sequence[Node], trees: Mapping[str, Sequence[Node]], depth: int) -> Iterator[tuple[str | int, int]]:
    """Yield what identifies each section, branch and loop, and how many ways it has. A section's name has one state."""
    for node in nodes if depth <= DEPTH_LIMIT else ():
        if isinstance(node, Section):
            yield node.name, 2
            yield from _choices(node.body, trees, depth + 1)
        elif isinstance(node, If):
            yield id(node), len(node.branches) + 1
            for body in (*(body for _, body in node.branches), node.otherwise):
                yield from _choices(body, trees, depth + 1)
        elif isinstance(node, For):
            yield id(node), 2
            for body in (node.body, node.otherwise):
                yield from _choices(body, trees, depth + 1)
        elif isinstance(node, Partial):
            yield from _choices(trees.get(node.name, ()), trees, depth + 1)


def _size(nodes: Sequence[Node]) -> int:
    return sum(
        len(node.text) if isinstance(node, Literal) else _size(node.body) if isinstance(node, Section) else 8 for node in nodes
    )


class _Sample:
    """One text of a template: with a value for each tag, and one way for each section, branch and loop.

    Attributes:
        texts: the parts of the text.
    """

    def __init__(self, trees: Mapping[str, Sequence[Node]], ways: Mapping[str | int, int]) -> None:
        self.texts: list[str] = []
        self._trees = trees
        self._ways = ways
        self._position = JsonPosition()
        self._values = 0

    def add(self, nodes: Sequence[Node], depth: int) -> None:
        """Add what nodes become.

        Raises:
            NotJson: a value stands inside an escape.
            _Unknown: a partial is not known, and it is outside of a string.
        """
        if depth > DEPTH_LIMIT:
            raise _Unknown
        for node in nodes:
            if isinstance(node, Literal):
                self.texts.append(node.text)
                self._position.add(node.text)
            elif isinstance(node, Section):
                if (self._ways[node.name] == 1) == node.inverted:
                    self.add(node.body, depth + 1)
            elif isinstance(node, If):
                way = self._ways[id(node)]
                self.add(node.otherwise if way == len(node.branches) else node.branches[way][1], depth + 1)
            elif isinstance(node, For):
                self.add(node.otherwise if self._ways[id(node)] else node.body, depth + 1)
            elif isinstance(node, Partial) and not self._position.in_string:
                if node.name not in self._trees:
                    raise _Unknown
                self.add(self._trees[node.name], depth + 1)
            else:
                self._add_value()

    def _add_value(self) -> None:
        if self._position.escape:
            raise NotJson("has a backslash before a value")
        self._values += 1  # members that differ only by values are not the same member
        self.texts.append(f"x{self._values}" if self._position.in_string else f'"x{self._values}"')
