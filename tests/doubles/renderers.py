"""Renderers of prompts for tests."""

from collections.abc import Mapping
from typing import Any

from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt


class PlainRenderer:
    """Renders without any context."""

    def render(self, project: int, prepared: PreparedPrompt, values: Mapping[str, Any]) -> RenderedPrompt:
        return prepared.render(values)
