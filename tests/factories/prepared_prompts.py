"""Prepared prompts of tests, and the errors that one has."""

from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.errors import InvalidPrompt, InvalidVariables
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt


def text(template: str, **more: Any) -> PreparedPrompt:
    return prepare(Content.model_validate({"type": "text", "template": template, **more}))


def chat(*template: dict[str, str], **more: Any) -> PreparedPrompt:
    return prepare(Content.model_validate({"type": "chat", "template": list(template), **more}))


def passage(words: str, score: float = 0.5, **metadata: Any) -> Passage:
    return Passage(words, score, "handbook", "doc", 0, "sha256:0", metadata)


def field_errors(error: type[InvalidPrompt | InvalidVariables], act: Any) -> list[tuple[str, str]]:
    with pytest.raises(error) as raised:
        act()
    return [(error.path, error.message) for error in raised.value.field_errors]


USER = {"role": "user", "content": "{{ticket}}"}
HISTORY = {"role": "placeholder", "name": "history"}
