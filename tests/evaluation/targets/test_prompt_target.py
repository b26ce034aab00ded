"""What a model receives from an evaluation: the raw body that reaches its server."""

import asyncio
import json
from typing import Any

import pytest

from doubles.stub_model import StubModelServer
from promptuary.core.settings import Settings
from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import Variant, VariantRole
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.evaluation.targets.target import TargetTrace
from promptuary.models.calls import ModelClient
from promptuary.models.chat_models import ChatModels
from promptuary.prompt.content import Content
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt

PROPERTIES = {"reasoning": {"type": "string"}, "answer": {"type": "number", "minimum": 1.0}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["reasoning", "answer"], "additionalProperties": False}
TOOLS = [{"type": "function", "function": {"name": "look_up", "strict": True, "parameters": SCHEMA, "description": "x"}}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}


class Renderer:
    """Renders without a context."""

    def render(self, project: int, prepared: PreparedPrompt, values: dict[str, Any]) -> RenderedPrompt:
        return prepared.render(values)


def sent_body(stub: StubModelServer, values: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Return what the server of the model receives for one case."""
    content = Content.model_validate({"type": "text", "template": "Hi", **parts})
    variant = Variant("v1", VariantRole.CANDIDATE, "openai:stub", "p", 1, "sha256:")

    async def answer() -> None:
        with ChatModels(Settings(case_timeout=30)) as models:
            client = ModelClient(models)
            target = PromptTarget(1, Renderer(), client, {"v1": prepare(content)})
            await target.answer(Case("1", values or {}), variant, 0, TargetTrace())
            await client.close()

    asyncio.run(answer())
    return stub.bodies[-1]


@pytest.mark.parametrize("place", ["parts", "config"])
def test_a_model_receives_tools_and_schemas_in_the_order_in_which_they_were_sent(
    place: str, stub_model: StubModelServer
) -> None:
    settings = {"tools": TOOLS, "response_format": FORMAT}
    body = sent_body(stub_model, **(settings if place == "parts" else {"config": settings}))
    assert json.dumps([body["tools"], body["response_format"]]) == json.dumps([TOOLS, FORMAT])


def test_a_value_is_rendered_in_its_order(stub_model: StubModelServer) -> None:
    value = {"b": 1.0, "a": [1, None]}
    rendered = 'Hi {"b": 1.0, "a": [1, null]}'
    assert sent_body(stub_model, {"v": value}, template="Hi {{v}}")["messages"][-1]["content"] == rendered
    declared = sent_body(stub_model, template="Hi {{v}}", variables={"v": {"default": value}})
    assert declared["messages"][-1]["content"] == rendered


def test_a_model_is_called_with_the_settings_of_the_config(stub_model: StubModelServer) -> None:
    config = {
        "model": "gpt-4o",
        "max_completion_tokens": 9,
        "stop": "END",
        "reasoning_effort": "low",
        "top_k": 40,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "temperature": 1,
        "own": {"anything": None},
    }
    body = sent_body(stub_model, config=config, model={"name": "openai:other", "temperature": 0})
    expected = {key: config[key] for key in ("max_completion_tokens", "reasoning_effort", "top_k", "frequency_penalty")}
    assert body.items() >= {**expected, "presence_penalty": -0.5, "model": "stub", "temperature": 0}.items()
    assert (body["stop"], "own" in body) == (["END"], False)


def test_a_setting_of_another_type_is_the_applications_own(stub_model: StubModelServer) -> None:
    body = sent_body(stub_model, config={"temperature": "warm", "stop": [], "tools": "all"})
    assert not {"temperature", "stop", "tools"} & body.keys()
