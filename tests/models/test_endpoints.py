"""Addresses and keys of models: what may be asked with which key, on the command line and on a server."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
from langchain_core.language_models import FakeListChatModel

from doubles.stub_model import Reaction, StubModelServer
from promptuary.core.allowed_hosts import AllowedHosts, HostRefused
from promptuary.core.errors import InvalidRequest
from promptuary.core.settings import CommandLineSettings, Settings
from promptuary.models.chat_models import ChatModels, provider_arguments
from promptuary.models.endpoints import CheckedTransport

NAME = "openai:candidate"


class KeyRecorder(StubModelServer):
    """A model server that keeps the keys of requests."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.keys.append(dict(scope["headers"])[b"authorization"])
        await super().__call__(scope, receive, send)


def server(**settings: Any) -> ChatModels:
    return ChatModels(Settings(**settings))


def refusal(models: ChatModels, config: dict[str, Any], name: str = NAME) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        models.chat(name, config)
    return [f"{error.path}: {error.message}" for error in refused.value.field_errors]


async def ask(models: ChatModels, url: str) -> Any:
    try:
        return await models.chat(NAME, {"base_url": url}).ainvoke("Hello")
    finally:
        await models.close_connections()


def test_a_server_asks_listed_hosts_with_listed_keys_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDIDATE_KEY", "k")
    config = {"base_url": "http://127.0.0.1:8000/v1", "api_key_env": "CANDIDATE_KEY"}
    assert refusal(server(), config) == [
        "model.base_url: models may not be asked at '127.0.0.1' (port 8000); an operator can list it in PROMPTUARY_MODEL_HOSTS",
        "model.api_key_env: the variable CANDIDATE_KEY may not be used here; "
        "an operator can list it in PROMPTUARY_MODEL_VARIABLES",
    ]
    chat: Any = server(model_hosts="127.0.0.1", model_variables="CANDIDATE_KEY").chat(NAME, config)
    assert (chat.openai_api_base, chat.openai_api_key.get_secret_value()) == ("http://127.0.0.1:8000/v1", "k")
    assert "k" not in repr(chat.openai_api_key)


@pytest.mark.parametrize("listed", ["", "PROMPTUARY_DATABASE_URL"])
def test_no_variable_of_this_program_is_a_key(listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_DATABASE_URL", "postgresql://u:p@h/d")
    for models in (server(model_variables=listed), ChatModels(CommandLineSettings())):
        assert "this program's own" in refusal(models, {"api_key_env": "PROMPTUARY_DATABASE_URL"})[0]


def test_a_key_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANDIDATE_KEY", raising=False)
    assert refusal(ChatModels(CommandLineSettings()), {"api_key_env": "CANDIDATE_KEY"}) == [
        "model.api_key_env: the variable CANDIDATE_KEY of the environment is not set"
    ]


def test_a_providers_key_is_not_sent_to_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    recorder = KeyRecorder()
    with recorder.listening() as url, ChatModels(CommandLineSettings()) as models:
        reply = asyncio.run(ask(models, url))
    assert reply.content == "Hello"
    assert recorder.keys == [b"Bearer none"]


def test_a_redirect_of_an_allowed_host_is_not_followed() -> None:
    stub, other = StubModelServer(), StubModelServer()
    with stub.listening() as url, other.listening() as elsewhere, server(model_hosts="127.0.0.1") as models:
        stub.react = lambda number, body: Reaction(status=307, headers={"location": f"{elsewhere}/chat/completions"})
        with pytest.raises(Exception, match="307"):
            asyncio.run(ask(models, url))
    assert (stub.requests, other.requests) == (1, 0)


def test_a_server_sends_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[httpx.Request] = []
    resolutions = [["93.184.216.34"], ["169.254.169.254"]]

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in resolutions.pop(0)]

    async def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        transport = CheckedTransport(AllowedHosts(frozenset({"gpu.example.com"})), httpx.MockTransport(answer))
        async with httpx.AsyncClient(transport=transport) as client:
            await client.post("https://gpu.example.com/v1/chat/completions")
            with pytest.raises(HostRefused, match="not public"):
                await client.post("https://gpu.example.com/v1/chat/completions")

    asyncio.run(main())
    assert [(request.url.host, request.headers["host"], request.extensions["sni_hostname"]) for request in sent] == [
        ("93.184.216.34", "gpu.example.com", "gpu.example.com")
    ]


def test_a_server_takes_addresses_of_openais_protocol_only() -> None:
    models = server(model_hosts="127.0.0.1")
    assert "OpenAI's protocol only" in refusal(models, {"base_url": "http://127.0.0.1:1/v1"}, "ollama:llama3.2")[0]
    assert "has no address" in refusal(models, {"base_url": "http://127.0.0.1:1/v1"}, "local:smollm2")[0]


def test_reasoning_is_passed_on_in_each_providers_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anthropic(FakeListChatModel):
        thinking: dict[str, Any] | None = None
        reasoning_effort: str | None = None
        model_kwargs: dict[str, Any] | None = None

    class Ollama(FakeListChatModel):
        reasoning: bool | str | None = None

    class Other(FakeListChatModel):
        model_kwargs: dict[str, Any] | None = None

    budget = {"thinking_budget": 2048, "reasoning_effort": "high"}
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert provider_arguments("anthropic:a", Anthropic, budget) == {"thinking": thinking, "reasoning_effort": "high"}
    assert provider_arguments("ollama:a", Ollama, {"reasoning_effort": "low"}) == {"reasoning": "low"}
    assert provider_arguments("other:a", Other, budget) == {"model_kwargs": budget}
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    models = ChatModels(CommandLineSettings())
    effort: Any = models.chat("openai:gpt-5", {"reasoning_effort": "low", "reasoning": {"summary": "auto"}})
    assert (effort.reasoning_effort, effort.reasoning, effort.extra_body) == ("low", {"summary": "auto"}, None)
    vllm = {"base_url": "http://gpu:8000/v1", "thinking_budget": 512, "reasoning": {"effort": "low"}, "top_k": 20}
    body = {"chat_template_kwargs": {"enable_thinking": True}}
    chat: Any = models.chat("openai:Qwen/Qwen3-8B", {**vllm, "extra_body": body})
    assert chat.extra_body == {**body, "thinking_budget": 512, "reasoning": {"effort": "low"}, "top_k": 20}
