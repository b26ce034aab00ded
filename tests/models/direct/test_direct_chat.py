"""Which calls are sent directly, over which connections; and who sends the others."""

import asyncio
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer
from factories.model_calls import RecordedWaits, ask_all, model_request
from promptuary.core.settings import Settings
from promptuary.models.calls import ModelClient
from promptuary.models.chat_models import ChatModels
from promptuary.models.direct.direct_chat import DirectChat
from promptuary.models.openai_chat import OpenAIChat

QUESTION = [{"role": "user", "content": "one two"}]


class OtherChat(OpenAIChat):
    """A class that may do anything of its own."""


def ask(models: ChatModels, model: Any, times: int = 1) -> list[Any]:
    """Call a model several times, one after another, in one event loop."""

    async def calls() -> list[Any]:
        try:
            return [await model.ainvoke(QUESTION) for _ in range(times)]
        finally:
            await models.close_connections()

    return asyncio.run(calls())


def test_nothing_is_sent_to_learn_how_to_send(models: ChatModels, stub_model: StubModelServer) -> None:
    model = models.direct(models.chat("openai:stub", {}))
    assert [message.content for message in ask(models, model, 3)] == ["one two"] * 3
    assert stub_model.requests == 3


def test_calls_of_a_run_share_one_session_and_later_loops_open_their_own(
    models: ChatModels, stub_model: StubModelServer
) -> None:
    for _ in range(2):
        replies = ask_all(ModelClient(models, RecordedWaits()), *[model_request(str(number)) for number in range(20)])
        assert [reply.text for reply in replies] == [str(number) for number in range(20)]


def test_a_cancelled_call_ends_at_the_server(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.react = lambda number, body: Reaction(hang=True)
    model = models.direct(models.chat("openai:stub", {}))

    async def cancel() -> None:
        call = asyncio.create_task(model.ainvoke(QUESTION))
        await asyncio.to_thread(stub_model.request_received.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(30):
            while stub_model.in_flight:
                await asyncio.sleep(0.01)
        await models.close_connections()

    asyncio.run(cancel())


def test_the_key_is_in_no_representation(models: ChatModels, stub_model: StubModelServer) -> None:
    model = models.direct(models.chat("openai:stub", {}))
    ask(models, model)
    assert model._route is not None
    key = model._route.endpoint.headers["authorization"].removeprefix("Bearer ")
    assert key
    assert f"Bearer {key}" not in repr(model._route)


@pytest.mark.parametrize(
    "settings",
    [
        {"streaming": True},
        {"include_response_headers": True},
        {"output_version": "v1"},
        {"max_retries": 2},
        {"model_kwargs": {"extra_headers": {"x": "y"}}},
        {"http_async_client": None},
    ],
)
def test_unusual_settings_are_sent_by_the_package(
    models: ChatModels, stub_model: StubModelServer, settings: dict[str, Any]
) -> None:
    usual: dict[str, Any] = {"model": "stub", "max_retries": 0, "http_async_client": models._client}
    models.chat("openai:stub", {})
    assert isinstance(models.direct(OpenAIChat(**usual)), DirectChat)
    chat = OpenAIChat(**{**usual, **settings})
    assert models.direct(chat) is chat


def test_a_subclass_is_not_called_directly(models: ChatModels, stub_model: StubModelServer) -> None:
    models.chat("openai:stub", {})
    chat = OtherChat(model="stub", max_retries=0, http_async_client=models._client)
    assert models.direct(chat) is chat


def test_a_class_without_the_private_methods_is_not_called_directly(
    models: ChatModels, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = models.chat("openai:stub", {})
    monkeypatch.setattr(OpenAIChat, "_get_request_payload", None)
    assert models.direct(chat) is chat


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_package_sends_where_there_is_a_proxy(
    models: ChatModels, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    model = models.direct(models.chat("openai:stub", {}))
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert [message.content for message in ask(models, model)] == ["one two"]
    assert model._route is None


def test_a_request_that_is_another_than_the_methods_build_is_sent_by_the_package(
    models: ChatModels, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.direct(models.chat("openai:stub", {}))
    monkeypatch.setattr(DirectChat, "_convert", lambda self, messages: [{"role": "user", "content": "other"}])
    assert [message.content for message in ask(models, model)] == ["one two"]
    assert model._route is None
    assert stub_model.requests == 1


def test_the_responses_api_is_called_by_the_package(stub_model: StubModelServer) -> None:
    with ChatModels(Settings(case_timeout=30)) as models:
        model = models.direct(models.chat("openai:gpt-5-pro", {}))
        with pytest.raises(Exception):  # noqa: B017, PT011  # the stub does not speak it
            ask(models, model)
        assert model._route is None


def test_a_model_of_another_kind_is_called_as_it_is(models: ChatModels, stub_model: StubModelServer) -> None:
    echo = models.chat("echo:", {})
    assert models.direct(echo) is echo
    models.chat("openai:stub", {})
    assert models.direct(echo) is echo
