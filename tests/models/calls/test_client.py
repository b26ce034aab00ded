"""Model calls, over real HTTP through LangChain's own client or with a model in this process."""

import asyncio
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage

from doubles.fake_model import FakeModel, echo_with_usage
from doubles.stub_model import Reaction, StubModelServer
from doubles.virtual_time import let_tasks_run, run_in_virtual_time
from factories.model_calls import MODEL, RecordedWaits, ask_all, model_request
from promptuary.core.settings import RateLimit
from promptuary.evaluation.suites.suite import PriceSpec
from promptuary.models.calls import ModelClient, ModelReply
from promptuary.models.calls.budget import CostLimitReached
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.retries import MAX_ATTEMPTS, MAX_REFUSALS
from promptuary.models.calls.scope import time_limit
from promptuary.models.chat_models import ChatModels

SCHEMA = {
    "title": "grade",
    "description": "A grade.",
    "type": "object",
    "properties": {"score": {"type": "number"}},
    "required": ["score"],
    "additionalProperties": False,
}


class Refused(Exception):
    """A provider's refusal that asks to wait."""

    status_code = 429

    def __init__(self, seconds: float) -> None:
        super().__init__("too many requests")
        self.response = httpx.Response(429, headers={"retry-after": str(seconds)})


def test_a_reply_has_its_tokens_and_its_price(models: ChatModels, stub_model: StubModelServer) -> None:
    (reply,) = ask_all(
        ModelClient(models, prices=PriceTable({MODEL: PriceSpec(input=3, output=5)})), model_request("one two three")
    )
    assert (reply.text, reply.tokens, reply.finish_reason) == ("one two three", {"input": 3, "output": 3}, "stop")
    assert reply.cost == pytest.approx(24e-6)
    assert not reply.cached
    (unpriced,) = ask_all(ModelClient(models), model_request())
    assert unpriced.cost is None


def test_a_reply_has_the_time_that_it_took() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()

        async def respond(messages: Any) -> AIMessage:
            await asyncio.sleep(0.25)
            return await echo_with_usage(messages)

        return (await ModelClient(FakeModel(respond), clock=loop.time).ask(model_request())).latency_ms

    assert run_in_virtual_time(work()) == 250


def test_runs_one_after_another_find_working_connections(models: ChatModels, stub_model: StubModelServer) -> None:
    for _ in range(3):  # an event loop each
        replies = ask_all(ModelClient(models), *[model_request()] * 5)
        assert [reply.text for reply in replies] == ["one two"] * 5
    assert stub_model.requests == 15


def test_the_wait_that_a_provider_asks_for_is_added(models: ChatModels, stub_model: StubModelServer) -> None:
    waits = RecordedWaits()
    stub_model.script += [Reaction(status=429, headers={"retry-after": "0.3"}), Reaction(status=503)]
    (reply,) = ask_all(ModelClient(models, waits, jitter=lambda: 0.5), model_request())
    assert reply.text == "one two"
    assert waits.seconds == [0.8, 1.0]
    assert stub_model.requests == 3


def test_a_pause_that_a_provider_asks_for_stops_every_call() -> None:
    async def work() -> list[float]:
        loop, started = asyncio.get_running_loop(), []

        async def respond(messages: Any) -> AIMessage:
            started.append(loop.time())
            if len(started) == 1:
                raise Refused(30)
            return await echo_with_usage(messages)

        client = ModelClient(FakeModel(respond), RecordedWaits(), concurrency=1, clock=loop.time)
        await asyncio.gather(client.ask(model_request()), client.ask(model_request()))
        return started

    first, *others = run_in_virtual_time(work())
    assert (first, len(others)) == (0.0, 2)
    assert all(time >= 30 for time in others)


@pytest.mark.parametrize(
    ("reaction", "requests"),
    [
        (Reaction(status=500), MAX_ATTEMPTS),
        (Reaction(drop=True), MAX_ATTEMPTS),
        (Reaction(status=429), MAX_REFUSALS),
        (Reaction(status=400), 1),
        (Reaction(status=401), 1),
        (Reaction(body=b"<html>"), 1),
    ],
)
def test_only_errors_that_may_pass_are_retried(
    models: ChatModels, stub_model: StubModelServer, reaction: Reaction, requests: int
) -> None:
    stub_model.react = lambda number, body: reaction
    with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
        ask_all(ModelClient(models, RecordedWaits()), model_request())
    assert stub_model.requests == requests


def test_a_provider_that_is_gone_is_retried(models: ChatModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    waits = RecordedWaits()
    with pytest.raises(Exception, match="Connection error"):
        ask_all(ModelClient(models, waits), model_request())
    assert len(waits.seconds) == MAX_ATTEMPTS - 1


def test_a_provider_that_takes_few_calls_gets_few_and_answers_all(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.concurrency_limit, stub_model.latency = 4, 0.02
    client = ModelClient(models, lambda seconds: asyncio.sleep(seconds / 50), concurrency=64)
    replies = ask_all(client, *(model_request(f"q{number}") for number in range(200)))
    assert sorted(reply.text for reply in replies) == sorted(f"q{number}" for number in range(200))
    assert client._limiters["openai"].rule.allowed < 64


def test_no_more_calls_are_in_flight_than_the_plan_allows() -> None:
    async def work() -> int:
        in_flight = peak = 0

        async def respond(messages: Any) -> AIMessage:
            nonlocal in_flight, peak
            in_flight += 1
            peak = max(peak, in_flight)
            await asyncio.sleep(1)
            in_flight -= 1
            return await echo_with_usage(messages)

        client = ModelClient(FakeModel(respond), concurrency=5)
        await asyncio.gather(*(client.ask(model_request(f"q{number}")) for number in range(30)))
        return peak

    assert run_in_virtual_time(work()) == 5


def test_a_rate_limit_spreads_calls_and_takes_no_time_of_an_item(models: ChatModels, stub_model: StubModelServer) -> None:
    waits = RecordedWaits()
    limits = {"openai": RateLimit(requests_per_minute=10)}

    async def ask(client: ModelClient) -> None:
        async with time_limit(20):  # the waits would be longer
            await asyncio.gather(*(client.ask(model_request(f"q{number}")) for number in range(6)))
        await client.close()

    asyncio.run(ask(ModelClient(models, waits, limits=limits, clock=lambda: 0.0)))
    assert [round(seconds, 1) for seconds in waits.seconds] == [6.7, 13.3, 20.0, 26.7, 33.3]


def test_tokens_that_were_not_used_return_to_the_rate_limit(models: ChatModels) -> None:
    waits = RecordedWaits()
    limits = {"openai": RateLimit(tokens_per_minute=100_000)}
    client = ModelClient(models, waits, limits=limits, concurrency=1)

    async def ask() -> None:
        for number in range(200):  # 200,000 tokens as estimated, 400 in truth
            await client.ask(model_request(f"q{number} x", config={"max_tokens": 1000}))
        await client.close()

    asyncio.run(ask())
    assert waits.seconds == []


def test_a_cancelled_wait_for_a_slot_returns_its_place_in_the_rate_limit() -> None:
    async def work() -> float:
        finish = asyncio.Event()

        async def respond(messages: Any) -> AIMessage:
            await finish.wait()
            return await echo_with_usage(messages)

        model, limits = FakeModel(respond), {"openai": RateLimit(requests_per_minute=100)}  # ten at once
        client = ModelClient(model, limits=limits, concurrency=1, clock=lambda: 0.0)
        first, *waiting = [asyncio.create_task(client.ask(model_request())) for _ in range(10)]
        while not model.received:
            await asyncio.sleep(0)
        await let_tasks_run()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        finish.set()
        await first
        return client._rates["openai"].reserve(0, 0.0)

    assert asyncio.run(work()) == 0.0


@pytest.mark.parametrize("binding", ["schema", "response_format", "tools"])
def test_bindings_reach_the_provider_and_come_back(models: ChatModels, stub_model: StubModelServer, binding: str) -> None:
    client = ModelClient(models)
    if binding == "schema":
        stub_model.answer = lambda body: '{"score": 0.5}'
        replies = ask_all(client, model_request(schema=SCHEMA), model_request(schema=SCHEMA, repeat=1))
        assert [reply.parsed for reply in replies] == [{"score": 0.5}] * 2
        assert stub_model.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["score"]
    elif binding == "response_format":
        ask_all(client, model_request(response_format={"type": "json_object"}))
        assert stub_model.bodies[0]["response_format"] == {"type": "json_object"}
    else:
        stub_model.script.append(Reaction(tool_calls=[{"name": "look_up", "args": {"id": 3}}]))
        tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
        (reply,) = ask_all(client, model_request(tools=[tool]))
        assert [(call["name"], call["args"]) for call in reply.tool_calls] == [("look_up", {"id": 3})]


def test_a_model_that_cannot_be_built_is_built_again_for_the_next_call(
    models: ChatModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ModelClient(models)
    monkeypatch.delenv("OPENAI_API_KEY")

    async def work() -> ModelReply:
        with pytest.raises(Exception, match="cannot be set up"):
            await client.ask(model_request())
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        try:
            return await client.ask(model_request())
        finally:
            await client.close()

    assert asyncio.run(work()).text == "one two"


def test_a_slot_that_a_cancelled_call_frees_starts_no_call_after_the_close() -> None:
    async def work() -> None:
        async def hang(messages: Any) -> AIMessage:
            await asyncio.Event().wait()
            raise AssertionError

        model = FakeModel(hang)
        client = ModelClient(model, concurrency=1)
        calls = [asyncio.create_task(client.ask(model_request(f"q{number}"))) for number in range(3)]
        while not model.received:
            await asyncio.sleep(0)
        await client.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError | CostLimitReached) for outcome in outcomes)
        assert len(model.received) == 1

    asyncio.run(work())
