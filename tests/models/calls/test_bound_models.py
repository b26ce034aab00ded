"""What is bound to a model before it is called, as LangChain would send it."""

import asyncio
from typing import Any

import pytest

from factories.model_calls import model_request
from promptuary.models.calls.bound_models import BoundModels
from promptuary.models.chat_models import ChatModels

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def bound_tools(models: ChatModels, *tools: dict[str, Any]) -> list[Any]:
    request = model_request(tools=list(tools))
    bound = asyncio.run(BoundModels(models).get(request, "binding"))
    return list(bound.chat.bound["tools"])


@pytest.mark.parametrize("tool", [{"type": "web_search", "filters": {"b": 1, "a": 2}}, {"type": "of_next_year"}])
def test_a_providers_own_tool_is_sent_as_it_is(models: ChatModels, tool: dict[str, Any]) -> None:
    assert repr(bound_tools(models, FUNCTION, tool)) == repr([FUNCTION, tool])
    assert bound_tools(models, {"name": "f", "parameters": {}}, tool) == [
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        tool,
    ]


def test_a_tool_that_is_neither_is_refused(models: ChatModels) -> None:
    with pytest.raises(ValueError, match="Unsupported function"):
        bound_tools(models, {"type": "custom"})
