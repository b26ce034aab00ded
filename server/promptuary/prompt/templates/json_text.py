"""The renderer of JSON texts, such as the arguments of a tool call: whatever the values are, the result is JSON of one shape.

The literals of the template are the author's. A value is written for its place: inside a JSON string it is escaped, and outside
of one it is a JSON value by itself, so a text is quoted and null is `null`. So no value can end a string or add a member. The
result is parsed, and what is not JSON is an error.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Literal, Node, Output, Partial, Tag
from promptuary.prompt.templates.value import JsonText, Undefined, to_text

_MARK = re.compile(r'\\u[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{0,3}\Z|\\[^u]|\\\Z|"', re.DOTALL)


class NotJson(Exception):
    """A text is not JSON; the message is the rest of a sentence that begins with it, and repeats nothing of it."""


class JsonPosition:
    """Where the end of a growing JSON text is: inside a string, and there inside an escape, or outside.

    Attributes:
        in_string: whether the end is inside a string.
        escape: the beginning of an escape that is not complete.
    """

    def __init__(self) -> None:
        """Begin outside of a string."""
        self.in_string = False
        self.escape = ""

    def add(self, text: str) -> None:
        """Add the next part of the text."""
        text, self.escape = self.escape + text, ""
        for mark in _MARK.finditer(text):
            if mark[0] == '"':
                self.in_string = not self.in_string
            elif mark.end() == len(text) and len(mark[0]) < (6 if mark[0].startswith("\\u") else 2):
                self.escape = mark[0]


def check_json(text: str) -> None:
    """Check that a text is JSON in which no member occurs twice.

    Raises:
        NotJson: it is not.
    """
    try:
        json.loads(text, object_pairs_hook=_unique_members, parse_constant=_refuse_constant, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise NotJson("is not JSON: it is nested too deep") from None


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("has a member twice in one object")
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise NotJson(f"is not JSON: {constant} is not a JSON number")


def is_whole_value(nodes: Sequence[Node]) -> bool:
    """Return whether a template is one value and white space: then a text is the JSON itself."""
    values = [node for node in nodes if not isinstance(node, Literal)]
    blank = all(not node.text.strip() for node in nodes if isinstance(node, Literal))
    return blank and len(values) == 1 and isinstance(values[0], Tag | Output)


class JsonTextRenderer(TemplateRenderer):
    """Renders templates of JSON texts."""

    @classmethod
    def like(cls, renderer: TemplateRenderer) -> Self:
        """Return a renderer with the partials and the budget of another one."""
        shared = cls(renderer.budget.limit, renderer.partials, shows_members=renderer.shows_members)
        shared.budget = renderer.budget
        return shared

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any], place: str = "the template") -> str:
        """Render one template, as `TemplateRenderer.render`. A template without tags is returned as it is.

        Raises:
            InvalidVariables: as there, and where the values make the text something else than JSON.
        """
        self._template = place
        self._position = JsonPosition()
        self._is_whole_value = is_whole_value(nodes)
        self._in_partial_of_string = False
        text = super().render(nodes, values, place)
        if not all(isinstance(node, Literal) for node in nodes):
            try:
                check_json(text)
            except NotJson as error:
                self._fail(place, f"with these values, it {error}")
        return text

    def _write_value(self, output: list[str], value: Any) -> None:
        self._refuse_escape()
        text = to_text(value)
        if self._position.in_string:
            super()._write(output, _escaped(text))
        elif isinstance(value, JsonText) or (self._is_whole_value and isinstance(value, str)):
            super()._write(output, text)
        else:
            super()._write(output, "null" if isinstance(value, Undefined) else json.dumps(value, ensure_ascii=False))

    def _render_partial(self, output: list[str], node: Partial, stack: list[Any]) -> None:
        """Render a partial: inside a string its text is escaped, outside it is a part of the JSON."""
        self._refuse_escape()
        is_outermost = self._position.in_string and not self._in_partial_of_string
        self._in_partial_of_string = self._in_partial_of_string or is_outermost
        super()._render_partial(output, node, stack)
        if is_outermost:
            self._in_partial_of_string = False

    def _write(self, output: list[str], text: str) -> None:
        if self._in_partial_of_string:
            super()._write(output, _escaped(text))
        else:
            super()._write(output, text)
            self._position.add(text)

    def _refuse_escape(self) -> None:
        if self._position.escape:
            self._fail(self._template, "has a backslash before a value, which would change the value")

    def _fail(self, path: str, message: str) -> NoReturn:
        raise InvalidVariables("the variables do not fit the prompt", [FieldError(path, message)])


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
