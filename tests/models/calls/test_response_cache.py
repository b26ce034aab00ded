"""The response cache of a run, with replies over real HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer, completion
from factories.model_calls import MODEL, RecordedWaits, ask_all, model_request
from promptuary.evaluation.suites.suite import PriceSpec
from promptuary.models.calls import ModelClient, ModelReply, ModelRequest
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.response_cache import ModelResponseCache
from promptuary.models.calls.scope import sensitive_calls
from promptuary.models.chat_models import ChatModels

SCHEMA = {
    "title": "grade",
    "description": "A grade.",
    "type": "object",
    "properties": {"score": {"type": "number"}},
    "required": ["score"],
    "additionalProperties": False,
}


class CachedBodies(dict[str, dict[str, Any]]):
    """The stored bodies by key, and how often they were read."""

    reads = 0

    def __call__(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        self.reads += 1
        return {key: self[key] for key in keys if key in self}


@pytest.fixture
def ask_with_cache(models: ChatModels) -> Callable[..., list[ModelReply]]:
    """Send requests by a client with a response cache, and store the new responses."""

    def ask(stored: CachedBodies, *requests: ModelRequest, enabled: bool = True, sensitive: bool = False) -> list[ModelReply]:
        client = ModelClient(
            models,
            RecordedWaits(),
            cache=ModelResponseCache(stored, enabled=enabled),
            prices=PriceTable({MODEL: PriceSpec(input=1, output=1)}),
        )

        async def work() -> list[ModelReply]:
            try:
                with sensitive_calls(sensitive):
                    return list(await asyncio.gather(*map(client.ask, requests)))
            finally:
                stored.update((await client.close()).responses)

        return asyncio.run(work())

    return ask


def test_a_request_is_paid_once_and_each_repeat_has_its_own_reply(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    numbers = count()
    stub_model.answer = lambda body: f"reply {next(numbers)}"
    stored, requests = CachedBodies(), [model_request(), model_request(repeat=1)]
    first = ask_with_cache(stored, *requests)
    again = ask_with_cache(stored, *requests, model_request(repeat=2))
    assert [reply.text for reply in again[:2]] == [reply.text for reply in first]
    assert len({reply.text for reply in again}) == 3
    assert [reply.cached for reply in again[:2]] == [True, True]
    assert [reply.cost for reply in again[:2]] == [reply.cost for reply in first]
    assert None not in [reply.cost for reply in first]
    assert 0.0 not in [reply.cost for reply in first]
    assert [reply.latency_ms for reply in again[:2]] == [reply.latency_ms for reply in first]
    assert [reply.tokens for reply in again[:2]] == [reply.tokens for reply in first]
    assert not again[2].cached
    assert stub_model.requests == 3


@pytest.mark.parametrize(
    "other",
    [
        model_request("one two three"),
        model_request(config={"temperature": 0.5}),
        model_request(response_format={"type": "json_object"}),
        model_request(
            tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
        ),
        ModelRequest("openai:other", [{"role": "user", "content": "one two"}]),
        ModelRequest(MODEL, [{"role": "system", "content": "one two"}]),
    ],
)
def test_another_request_has_another_response(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer, other: ModelRequest
) -> None:
    stored = CachedBodies()
    ask_with_cache(stored, model_request())
    assert not ask_with_cache(stored, other)[0].cached
    assert len(stored) == 2


FIELDS, TWISTED = {"reasoning": {"type": "string"}, "answer": {}}, {"answer": {}, "reasoning": {"type": "string"}}


@pytest.mark.parametrize("part", ["tools", "response_format"])
def test_two_orders_of_a_schema_share_no_response(
    part: str, ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    def request(properties: dict[str, Any]) -> ModelRequest:
        schema = {"type": "object", "properties": properties}
        if part == "tools":
            return model_request(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
        return model_request(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})

    stored = CachedBodies()
    ask_with_cache(stored, request(FIELDS))
    assert not ask_with_cache(stored, request(TWISTED))[0].cached
    assert ask_with_cache(stored, request(FIELDS))[0].cached
    for body, properties in zip(stub_model.bodies, (FIELDS, TWISTED), strict=True):
        sent = (
            body["tools"][0]["function"]["parameters"] if part == "tools" else body["response_format"]["json_schema"]["schema"]
        )
        assert list(sent["properties"]) == list(properties)


def test_the_order_of_settings_is_no_other_request(ask_with_cache: Callable[..., list[ModelReply]]) -> None:
    stored = CachedBodies()
    ask_with_cache(stored, model_request(config={"seed": 1, "temperature": 0}))
    assert ask_with_cache(stored, model_request(config={"temperature": 0, "seed": 1}))[0].cached


def test_only_replies_that_fit_their_schema_are_cached(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    stored = CachedBodies()
    stub_model.script += [Reaction("no grade at all"), Reaction('{"score": 0.25}')]
    for cached in (False, False, True):
        (reply,) = ask_with_cache(stored, model_request(schema=SCHEMA))
        assert reply.cached is cached
    assert reply.parsed == {"score": 0.25}


def test_a_disabled_cache_is_not_read_but_still_written(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    stored = CachedBodies()
    stub_model.script += [Reaction("old"), Reaction("new")]
    ask_with_cache(stored, model_request())
    assert ask_with_cache(stored, model_request(), enabled=False)[0].text == "new"
    assert ask_with_cache(stored, model_request())[0].text == "new"


@pytest.mark.parametrize("where", ["request", "block"])
def test_a_sensitive_request_is_neither_cached_nor_looked_up(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer, where: str
) -> None:
    stored = CachedBodies()
    for _ in range(2):
        ask_with_cache(stored, model_request(sensitive=where == "request"), sensitive=where == "block")
    assert (stub_model.requests, len(stored), stored.reads) == (2, 0, 0)


def test_errors_are_never_cached(ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer) -> None:
    stored = CachedBodies()
    stub_model.script += [Reaction(status=400)]
    with pytest.raises(Exception, match="400"):
        ask_with_cache(stored, model_request())
    assert len(stored) == 0
    assert ask_with_cache(stored, model_request())[0].text == "one two"


def test_many_responses_are_read_together(ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer) -> None:
    stored, requests = CachedBodies(), [model_request(f"q{number}") for number in range(100)]
    ask_with_cache(stored, *requests)
    stored.reads = 0
    assert all(reply.cached for reply in ask_with_cache(stored, *requests))
    assert stored.reads <= 3


def test_the_echo_model_is_not_cached(models: ChatModels) -> None:
    stored = CachedBodies()
    (reply,) = ask_all(
        ModelClient(models, cache=ModelResponseCache(stored)), ModelRequest("echo:", [{"role": "user", "content": "a"}])
    )
    assert (reply.text, reply.cost, stored.reads, len(stored)) == ("a", 0.0, 0, 0)


def test_an_earlier_releases_response_is_priced_and_its_reasoning_split(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    stored = CachedBodies()
    (first,) = ask_with_cache(stored, model_request())
    (body,) = stored.values()
    for name in ("cost", "refusal", "reasoning", "invalid_tool_calls"):
        del body[name]
    body["text"] = "<think>hm</think> one two"
    (again,) = ask_with_cache(stored, model_request())
    assert (again.cached, again.cost, again.text, again.reasoning) == (True, first.cost, "one two", "hm")


def test_an_empty_response_of_an_earlier_release_is_asked_for_again(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    stored = CachedBodies()
    ask_with_cache(stored, model_request())
    (body,) = stored.values()
    del body["refusal"]
    body["text"] = ""
    assert not ask_with_cache(stored, model_request())[0].cached


def test_refusal_reasoning_and_invalid_calls_come_back_from_the_cache(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{a"}}
    message = {"role": "assistant", "content": None, "refusal": "No.", "reasoning_content": "hm", "tool_calls": [call]}
    stub_model.react = lambda number, body: Reaction(body=completion(message))
    stored = CachedBodies()
    (first,) = ask_with_cache(stored, model_request())
    (again,) = ask_with_cache(stored, model_request())
    assert (first.refusal, first.reasoning, len(first.invalid_tool_calls)) == ("No.", "hm", 1)
    assert again == replace(first, cached=True)
