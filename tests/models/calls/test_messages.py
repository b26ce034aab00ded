"""Messages of agents and content parts, as they reach a provider: over real HTTP, through LangChain's own client."""

import asyncio
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer
from factories.model_calls import MODEL
from promptuary.core.settings import Settings
from promptuary.models.calls import ModelClient, ModelRequest
from promptuary.models.calls.messages import count_images
from promptuary.models.calls.pricing import CallSize, PriceTable
from promptuary.models.chat_models import ChatModels

PNG = "data:image/png;base64," + "iVBORw0KGgo=" * 10
CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": "Ø 7"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}
AGENT: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Where is it?", "name": "ana"},
    {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
    {"role": "tool", "content": "found", "tool_call_id": "call_1"},
    {"role": "tool", "content": [{"type": "text", "text": "none"}], "tool_call_id": "call_2"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?", "cache_control": {"type": "ephemeral"}},
            IMAGE,
            {"type": "image_url", "image_url": {"url": "https://img.example/a.png"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
]


def ask(models: ChatModels, *messages: dict[str, Any], model: str = MODEL) -> str:
    async def work() -> str:
        client = ModelClient(models)
        try:
            return (await client.ask(ModelRequest(model, messages))).text
        finally:
            await client.close()

    return asyncio.run(work())


def test_a_provider_receives_the_messages_as_they_were_rendered(models: ChatModels, stub_model: StubModelServer) -> None:
    ask(models, *AGENT)
    assert stub_model.bodies[-1]["messages"] == AGENT


def test_absent_content_and_broken_arguments_reach_the_provider_too(models: ChatModels, stub_model: StubModelServer) -> None:
    call = {**CALL, "function": {"name": "find", "arguments": '{"cut'}}
    ask(models, {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]})
    assert stub_model.bodies[-1]["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [call]}


def test_a_model_that_cannot_take_a_part_is_a_clear_error(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.script.append(Reaction(status=400, text="this model takes no images"))
    with pytest.raises(Exception, match="400"):
        ask(models, *AGENT)


def test_the_echo_model_replies_with_the_texts_of_the_users_parts() -> None:
    with ChatModels(Settings()) as models:
        assert ask(models, *AGENT, model="echo:") == "What is it?"
        assert ask(models, {"role": "assistant", "tool_calls": [CALL]}, model="echo:") == ""


@pytest.mark.parametrize(
    "change",
    [
        {"name": "ana"},
        {"role": "developer"},
        {"content": [{"type": "text", "text": "x"}]},
        {"content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
        {"content": [IMAGE]},
        {"content": [{**IMAGE, "image_url": {"url": PNG}}]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1"},
    ],
)
def test_every_field_of_a_message_is_in_the_key_of_the_response_cache(change: dict[str, Any]) -> None:
    plain = {"role": "user", "content": "x"}
    keys = {ModelRequest("openai:a", [message]).cache_key for message in (plain, {**plain, **change})}
    assert len(keys) == 2


def test_an_image_is_estimated_as_an_image_and_not_by_its_bytes() -> None:
    images = count_images(AGENT)
    assert (images.number, images.size) == (2, len(PNG) + len("https://img.example/a.png"))
    request = ModelRequest("openai:gpt-4o-mini", AGENT, {"max_tokens": 10})
    without, with_images = CallSize(300, 0), CallSize(300, 0, 2)
    prices = PriceTable()
    more = prices.estimate(request, with_images, limited=True).cost - prices.estimate(request, without, limited=True).cost
    assert more == pytest.approx(2 * 40_000 * 0.15 / 1e6)  # an upper bound: the most that the provider counts
    expected = prices.estimate(request, with_images, limited=False).tokens
    assert expected - prices.estimate(request, without, limited=False).tokens == 3_000
