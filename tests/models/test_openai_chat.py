"""What LangChain drops of OpenAI's protocol, over real HTTP; and addresses that do not speak it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from openai import LengthFinishReasonError
from pydantic import SecretStr

from doubles.stub_model import Reaction, StubModelServer, completion
from factories.model_calls import RecordedWaits, ask_all, model_request
from promptuary.models.calls import ModelClient, SetupFailed
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.setup.errors import UnusableReply
from promptuary.models.chat_models import ChatModels
from promptuary.models.openai_chat import AzureOpenAIChat

HTML = b"<!doctype html><html><body>Sign in</body></html>"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("response_format", [None, {"type": "json_object"}])
def test_refusal_and_reasoning_reach_the_reply(
    models: ChatModels, stub_model: StubModelServer, field: str, response_format: Mapping[str, Any] | None
) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I can't help with that.", field: "It is forbidden."}
    stub_model.react = lambda number, body: Reaction(body=completion(message))
    (reply,) = ask_all(ModelClient(models), model_request(response_format=response_format))
    assert (reply.text, reply.refusal) == ("I can't help with that.", "I can't help with that.")
    assert reply.reasoning == "It is forbidden."


def test_a_malformed_tool_call_reaches_the_reply(models: ChatModels, stub_model: StubModelServer) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    stub_model.react = lambda number, body: Reaction(body=completion(message, "tool_calls"))
    (reply,) = ask_all(ModelClient(models), model_request())
    assert [(invalid["name"], invalid["args"]) for invalid in reply.invalid_tool_calls] == [("f", '{"a": ')]
    assert json.loads(reply.text)[0]["function"]["arguments"] == '{"a": '


@pytest.mark.parametrize(
    ("body", "headers", "content"),
    [
        (HTML, {"content-type": "text/html"}, "Sign in"),
        (HTML, {}, "Sign in"),
        (json.dumps({"id": "1", "object": "chat.completion", "choices": []}).encode(), {}, "without `choices`"),
        (b'{"object": "list", "data": []}', {}, "list"),
        (b"", {}, ""),
    ],
)
@pytest.mark.parametrize("response_format", [None, {"type": "json_object"}])
def test_an_address_that_does_not_speak_the_protocol_is_named_with_a_remedy(
    models: ChatModels,
    stub_model: StubModelServer,
    body: bytes,
    headers: dict[str, str],
    content: str,
    response_format: Mapping[str, Any] | None,
) -> None:
    stub_model.react = lambda number, request: Reaction(body=body, headers=headers)
    with pytest.raises(UnusableReply) as raised:
        ask_all(ModelClient(models, RecordedWaits()), model_request(response_format=response_format))
    assert content in str(raised.value)
    assert str(raised.value).startswith("http://127.0.0.1:")
    assert "must be the base URL of OpenAI's protocol" in str(raised.value)
    assert stub_model.requests == 1


@pytest.mark.parametrize(
    ("reaction", "texts"),
    [
        (Reaction(status=401), ("answers 401", "/v1/chat/completions", "check OPENAI_API_KEY")),
        (Reaction(status=403), ("answers 403", "check OPENAI_API_KEY")),
        (Reaction(status=404), ("answers 404 (stub: 404)", "check the base URL and the model's name")),
        (Reaction(body=HTML), ("answered 200 with", "base URL")),
    ],
)
def test_a_client_of_a_run_ends_where_no_call_can_succeed(
    models: ChatModels, stub_model: StubModelServer, reaction: Reaction, texts: tuple[str, ...]
) -> None:
    stub_model.react = lambda number, body: reaction
    client = ModelClient(models, RecordedWaits(), ends_on_setup_error=True, concurrency=4)
    with pytest.raises(SetupFailed) as raised:
        ask_all(client, *[model_request(f"q{number}") for number in range(4)])
    assert [text for text in texts if text not in str(raised.value)] == []
    assert stub_model.requests <= 5


@pytest.mark.parametrize("reaction", [Reaction(status=403), Reaction(status=400), Reaction(body=HTML)])
def test_an_error_of_one_input_ends_no_run(models: ChatModels, stub_model: StubModelServer, reaction: Reaction) -> None:
    stub_model.react = lambda number, body: reaction if "filtered" in str(body["messages"]) else None
    client = ModelClient(models, RecordedWaits(), ends_on_setup_error=True)
    with pytest.raises(Exception) as raised:  # noqa: PT011  # of the provider's package
        ask_all(client, model_request("filtered"))
    assert not isinstance(raised.value, SetupFailed)
    assert ask_all(ModelClient(models, RecordedWaits(), ends_on_setup_error=True), model_request("one"))[0].text == "one"


def test_a_key_that_is_revoked_later_ends_a_run(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.react = lambda number, body: Reaction(status=401) if number else None
    client = ModelClient(models, RecordedWaits(), ends_on_setup_error=True, concurrency=1)
    with pytest.raises(SetupFailed):
        ask_all(client, model_request("one"), model_request("two"))


def test_a_missing_key_ends_a_run_before_the_first_call(
    models: ChatModels, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SetupFailed, match=r"the model 'openai:stub' cannot be set up: .*OPENAI_API_KEY"):
        ask_all(ModelClient(models, RecordedWaits(), ends_on_setup_error=True), model_request())
    assert stub_model.requests == 0


def test_an_output_that_azures_filter_ended_is_a_refusal() -> None:
    chat = AzureOpenAIChat(azure_endpoint="http://127.0.0.1:9", api_key=SecretStr("k"), api_version="1", model="m")
    response = json.loads(completion({"role": "assistant", "content": ""}, "content_filter"))
    (generation,) = chat._create_chat_result(response).generations
    reply = parse_reply(generation.message.model_copy(update={"response_metadata": generation.generation_info}), 1.0)
    assert reply.refusal == "the provider ended the output: content_filter"


def test_an_output_that_is_cut_is_no_unusable_reply(models: ChatModels, stub_model: StubModelServer) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
    stub_model.react = lambda number, body: Reaction(body=completion({"role": "assistant", "content": '{"a"'}, "length"))
    with pytest.raises(LengthFinishReasonError):
        ask_all(ModelClient(models, RecordedWaits()), model_request(response_format=schema))


@pytest.mark.parametrize("response_format", [None, {"type": "json_object"}])
def test_an_output_that_the_filter_ended_is_a_refusal(
    models: ChatModels, stub_model: StubModelServer, response_format: Mapping[str, Any] | None
) -> None:
    message = {"role": "assistant", "content": ""}
    stub_model.react = lambda number, body: Reaction(body=completion(message, "content_filter"))
    (reply,) = ask_all(ModelClient(models, RecordedWaits()), model_request(response_format=response_format))
    assert (reply.refusal, reply.finish_reason) == ("the provider ended the output: content_filter", "content_filter")
