"""The renderer of JSON texts, such as the arguments of a tool call: a value inside a JSON string is escaped for it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Node

_QUOTE = re.compile(r'\\.|"', re.DOTALL)


class JsonTextRenderer(TemplateRenderer):
    """Renders templates of JSON texts. A value outside a string is inserted as it is, so it can be JSON itself."""

    _in_string = False

    @classmethod
    def like(cls, renderer: TemplateRenderer) -> Self:
        """Return a renderer with the partials and the budget of another one."""
        shared = cls(renderer.budget.limit, renderer.partials, shows_members=renderer.shows_members)
        shared.budget = renderer.budget
        return shared

    def render(self, nodes: Sequence[Node], values: Mapping[str, Any], place: str = "the template") -> str:
        """Render one template, as `TemplateRenderer.render`."""
        self._in_string = False
        return super().render(nodes, values, place)

    def _write_value(self, output: list[str], text: str) -> None:
        if self._in_string:
            super()._write(output, json.dumps(text, ensure_ascii=False)[1:-1])
        else:
            self._write(output, text)

    def _write(self, output: list[str], text: str) -> None:
        super()._write(output, text)
        for mark in _QUOTE.finditer(text):
            if mark[0] == '"':
                self._in_string = not self._in_string
