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
from promptuary.prompt.templates.message_templates import StructuredMessageTemplate
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Partial, Section

_COMBINATIONS = 64
"""The most combinations of the sections and branches of one call that are tried."""
_CHARACTERS = 1_000_000
"""The most characters that are tried in all calls of a content, with their partials; the calls after them are not tried."""
_VALUE_CHARACTERS = 8
"""What a node that is no literal counts for."""
_REMEDY = "write each value inside quotes, or in place of a whole JSON value"


class _Unknown(Exception):
    """The text depends on a partial that is not known yet."""


class _TooLarge(Exception):
    """There are more combinations or characters than are tried."""


def argument_errors(prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield an error for the arguments of each tool call that can never become JSON."""
    check = _Check(prepared.trees)
    for part in (*prepared.parts, *prepared.turns):
        if isinstance(part, Placeholder) or not isinstance(part, StructuredMessageTemplate):
            continue
        for field in part.fields:
            if field.kind is FieldKind.ARGUMENTS and (message := check.error(field.nodes)) is not None:
                yield FieldError(field.place, message)


class _Check:
    """The check of all calls of a content, which share the characters that are tried."""

    def __init__(self, trees: Mapping[str, Sequence[Node]]) -> None:
        self._trees = trees
        self._characters = _CHARACTERS

    def error(self, nodes: Sequence[Node]) -> str | None:
        """Return why arguments can never become JSON; None where they can, or where that is not known."""
        if all(isinstance(node, Literal) for node in nodes):
            return _literal_error("".join(node.text for node in nodes if isinstance(node, Literal)))
        if is_whole_value(nodes):
            return None
        message = None
        try:
            choices = self._choices(nodes)
            for numbers in product(*(range(count) for count in choices.values())):
                sample = _Sample(self._trees, dict(zip(choices, numbers, strict=True)))
                try:
                    sample.add(nodes, 0)
                    check_json("".join(sample.texts))
                except NotJson as error:
                    message = message or f"{error} with any values, such as x; {_REMEDY}"
                else:
                    return None
        except (_TooLarge, _Unknown):
            return None
        return message

    def _choices(self, nodes: Sequence[Node]) -> dict[str | int, int]:
        """Return what identifies each section, branch and loop, and how many ways it has. A section's name has one state.

        Raises:
            _TooLarge: there are more combinations, or characters in all of them, than are tried.
        """
        choices: dict[str | int, int] = {}
        before = self._characters
        self._add_choices(nodes, choices, 0)
        combinations, characters = prod(choices.values()), before - self._characters
        if combinations > _COMBINATIONS or characters * (combinations - 1) > self._characters:
            raise _TooLarge
        self._characters -= characters * (combinations - 1)
        return choices

    def _add_choices(self, nodes: Sequence[Node], choices: dict[str | int, int], depth: int) -> None:
        for node in nodes if depth <= DEPTH_LIMIT else ():
            self._characters -= len(node.text) if isinstance(node, Literal) else _VALUE_CHARACTERS
            if self._characters < 0:
                raise _TooLarge
            bodies: tuple[Sequence[Node], ...] = ()
            if isinstance(node, Section):
                choices[node.name], bodies = 2, (node.body,)
            elif isinstance(node, If):
                choices[id(node)], bodies = len(node.branches) + 1, (*(body for _, body in node.branches), node.otherwise)
            elif isinstance(node, For):
                choices[id(node)], bodies = 2, (node.body, node.otherwise)
            elif isinstance(node, Partial):
                bodies = (self._trees.get(node.name, ()),)
            for body in bodies:
                self._add_choices(body, choices, depth + 1)


def _literal_error(text: str) -> str | None:
    try:
        check_json(text)
    except NotJson as error:
        return f"{error}; a call without arguments has {{}}"
    return None


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
