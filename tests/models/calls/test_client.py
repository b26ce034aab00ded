"""Calls over real HTTP, through LangChain's own client: what a provider does, and what is made of it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer
from promptuary.core.settings import RateLimit, Settings
from promptuary.evaluation.suites.suite import PriceSpec
from promptuary.models.calls import ModelClient, ModelReply, ModelRequest
from promptuary.models.calls.budget import CostBudget, CostLimitReached
from promptuary.models.calls.client import DEFAULT_MAX_TOKENS, MAX_ATTEMPTS, MAX_REFUSALS
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.response_cache import ResponseCache
from promptuary.models.calls.scope import sensitive_calls, time_limit
from promptuary.models.chat_models import ChatModels

MODEL = "openai:stub"
SCHEMA = {
    "title": "grade",
    "description": "A grade.",
    "type": "object",
    "properties": {"score": {"type": "number"}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.fixture
def models(stub_model: StubModelServer) -> Iterator[ChatModels]:
    with ChatModels(Settings(case_timeout=30)) as models:
        yield models


def request(text: str = "one two", **more: Any) -> ModelRequest:
    return ModelRequest(MODEL, [{"role": "user", "content": text}], **more)


class RecordedWaits:
    """Waits that are noted and not waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def asked(calls: ModelClient, *requests: ModelRequest) -> list[ModelReply]:
    """Ask all at once, and close."""

    async def ask() -> list[ModelReply]:
        try:
            return list(await asyncio.gather(*map(calls.ask, requests)))
        finally:
            await calls.close()

    return asyncio.run(ask())


def test_an_answer_comes_with_its_tokens_its_price_and_its_time(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.latency = 0.05
    (reply,) = asked(ModelClient(models, prices=PriceTable({MODEL: PriceSpec(input=3, output=5)})), request("one two three"))
    assert (reply.text, reply.tokens, reply.finish_reason) == ("one two three", {"input": 3, "output": 3}, "stop")
    assert reply.cost == pytest.approx(24e-6)
    assert reply.latency_ms >= 50
    assert not reply.cached
    (unpriced,) = asked(ModelClient(models), request())
    assert unpriced.cost is None


def test_runs_after_each_other_in_one_process_find_their_connections_alive(
    models: ChatModels, stub_model: StubModelServer
) -> None:
    for _ in range(3):  # an event loop each
        assert [reply.text for reply in asked(ModelClient(models), *[request()] * 5)] == ["one two"] * 5
    assert stub_model.requests == 15


def test_the_wait_that_the_provider_asks_for_is_kept(models: ChatModels, stub_model: StubModelServer) -> None:
    waits = RecordedWaits()
    stub_model.script += [Reaction(status=429, headers={"retry-after": "0.3"}), Reaction(status=503)]
    started = time.monotonic()
    (reply,) = asked(ModelClient(models, waits, jitter=lambda: 0.5), request())
    assert reply.text == "one two"
    assert waits.seconds == [0.8, 1.0]
    assert time.monotonic() - started >= 0.3  # the gate was shut so long, for every call
    assert stub_model.requests == 3


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
def test_what_may_pass_is_tried_again_so_many_times_and_nothing_else(
    models: ChatModels, stub_model: StubModelServer, reaction: Reaction, requests: int
) -> None:
    stub_model.react = lambda number, body: reaction
    with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
        asked(ModelClient(models, RecordedWaits()), request())
    assert stub_model.requests == requests


def test_a_provider_that_is_gone_is_tried_again(models: ChatModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    waits = RecordedWaits()
    with pytest.raises(Exception, match="Connection error"):
        asked(ModelClient(models, waits), request())
    assert len(waits.seconds) == MAX_ATTEMPTS - 1


def test_a_provider_that_takes_few_at_once_is_asked_by_few_and_all_are_answered(
    models: ChatModels, stub_model: StubModelServer
) -> None:
    stub_model.most, stub_model.latency = 4, 0.02
    calls = ModelClient(models, lambda seconds: asyncio.sleep(seconds / 50), concurrency=64)
    replies = asked(calls, *(request(f"q{number}") for number in range(200)))
    assert sorted(reply.text for reply in replies) == sorted(f"q{number}" for number in range(200))
    assert calls._gates["openai"].congestion.allowed < 16


def test_no_more_than_the_plan_allows_are_asked_at_once(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.latency = 0.02
    asked(ModelClient(models, concurrency=5), *(request(f"q{number}") for number in range(30)))
    assert stub_model.busiest == 5


def test_a_rate_spreads_the_calls_and_takes_none_of_an_items_time(models: ChatModels, stub_model: StubModelServer) -> None:
    waits = RecordedWaits()
    limits = {"openai": RateLimit(requests_per_minute=10)}

    async def ask(calls: ModelClient) -> None:
        async with time_limit(20):  # the waits would be longer
            await asyncio.gather(*(calls.ask(request(f"q{number}")) for number in range(6)))
        await calls.close()

    asyncio.run(ask(ModelClient(models, waits, limits=limits)))
    assert [round(seconds, 1) for seconds in waits.seconds] == [6.7, 13.3, 20.0, 26.7, 33.3]


def test_tokens_that_were_not_used_are_given_back_to_the_rate(models: ChatModels) -> None:
    waits = RecordedWaits()
    limits = {"openai": RateLimit(tokens_per_minute=100_000)}
    calls = ModelClient(models, waits, limits=limits, concurrency=1)

    async def ask() -> None:
        for number in range(200):  # 200,000 at first sight, 400 in truth
            await calls.ask(request(f"q{number} x", config={"max_tokens": 1000}))
        await calls.close()

    asyncio.run(ask())
    assert waits.seconds == []


@pytest.mark.parametrize("form", ["schema", "response_format", "tools"])
def test_forms_reach_the_provider_and_come_back(models: ChatModels, stub_model: StubModelServer, form: str) -> None:
    calls = ModelClient(models)
    if form == "schema":
        stub_model.answer = lambda body: '{"score": 0.5}'
        replies = asked(calls, request(schema=SCHEMA), request(schema=SCHEMA, repeat=1))
        assert [reply.parsed for reply in replies] == [{"score": 0.5}] * 2
        assert stub_model.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["score"]
    elif form == "response_format":
        asked(calls, request(response_format={"type": "json_object"}))
        assert stub_model.bodies[0]["response_format"] == {"type": "json_object"}
    else:
        stub_model.script.append(Reaction(tool_calls=[{"name": "look_up", "args": {"id": 3}}]))
        tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
        (reply,) = asked(calls, request(tools=[tool]))
        assert [(call["name"], call["args"]) for call in reply.tool_calls] == [("look_up", {"id": 3})]


class CachedBodies(dict[str, dict[str, Any]]):
    """Kept answers, by key, and how often they were looked for."""

    reads = 0

    def __call__(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        self.reads += 1
        return {key: self[key] for key in keys if key in self}


@pytest.fixture
def ask_with_cache(models: ChatModels) -> Callable[..., list[ModelReply]]:
    """Ask with a memory, and put what is due on the shelf."""

    def ask(shelf: CachedBodies, *requests: ModelRequest, reading: bool = True, discreet: bool = False) -> list[ModelReply]:
        calls = ModelClient(
            models,
            RecordedWaits(),
            answers=ResponseCache(shelf, reading=reading),
            prices=PriceTable({MODEL: PriceSpec(input=1, output=1)}),
        )

        async def work() -> list[ModelReply]:
            try:
                with sensitive_calls(discreet):
                    return list(await asyncio.gather(*map(calls.ask, requests)))
            finally:
                shelf.update((await calls.close()).answers)

        return asyncio.run(work())

    return ask


def test_the_same_question_is_paid_once_and_each_repeat_has_its_own_answer(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    stub_model.answer = lambda body: f"answer {stub_model.requests}"
    shelf, questions = CachedBodies(), [request(), request(repeat=1)]
    first = ask_with_cache(shelf, *questions)
    again = ask_with_cache(shelf, *questions, request(repeat=2))
    assert [reply.text for reply in again[:2]] == [reply.text for reply in first]
    assert len({reply.text for reply in again}) == 3
    assert [(reply.cached, reply.cost) for reply in again[:2]] == [(True, 0.0)] * 2
    assert [reply.latency_ms for reply in again[:2]] == [reply.latency_ms for reply in first]
    assert [reply.tokens for reply in again[:2]] == [reply.tokens for reply in first]
    assert not again[2].cached
    assert stub_model.requests == 3


@pytest.mark.parametrize(
    "other",
    [
        request("one two three"),
        request(config={"temperature": 0.5}),
        request(response_format={"type": "json_object"}),
        request(tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]),
        ModelRequest("openai:other", [{"role": "user", "content": "one two"}]),
        ModelRequest(MODEL, [{"role": "system", "content": "one two"}]),
    ],
)
def test_another_question_has_another_answer(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer, other: ModelRequest
) -> None:
    shelf = CachedBodies()
    ask_with_cache(shelf, request())
    assert not ask_with_cache(shelf, other)[0].cached
    assert len(shelf) == 2


def test_answers_in_a_form_are_remembered_with_it_and_those_that_missed_it_are_not(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    shelf = CachedBodies()
    stub_model.script += [Reaction("no grade at all"), Reaction('{"score": 0.25}')]
    for cached in (False, False, True):
        (reply,) = ask_with_cache(shelf, request(schema=SCHEMA))
        assert reply.cached is cached
    assert reply.parsed == {"score": 0.25}


def test_without_reading_everything_is_asked_and_still_kept(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer
) -> None:
    shelf = CachedBodies()
    stub_model.script += [Reaction("old"), Reaction("new")]
    ask_with_cache(shelf, request())
    assert ask_with_cache(shelf, request(), reading=False)[0].text == "new"
    assert ask_with_cache(shelf, request())[0].text == "new"


@pytest.mark.parametrize("where", ["request", "surroundings"])
def test_nothing_of_a_sensitive_question_is_kept_or_looked_for(
    ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer, where: str
) -> None:
    shelf = CachedBodies()
    for _ in range(2):
        ask_with_cache(shelf, request(discreet=where == "request"), discreet=where == "surroundings")
    assert (stub_model.requests, len(shelf), shelf.reads) == (2, 0, 0)


def test_errors_are_never_kept(ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer) -> None:
    shelf = CachedBodies()
    stub_model.script += [Reaction(status=400)]
    with pytest.raises(Exception, match="400"):
        ask_with_cache(shelf, request())
    assert len(shelf) == 0
    assert ask_with_cache(shelf, request())[0].text == "one two"


def test_many_answers_are_read_together(ask_with_cache: Callable[..., list[ModelReply]], stub_model: StubModelServer) -> None:
    shelf, questions = CachedBodies(), [request(f"q{number}") for number in range(100)]
    ask_with_cache(shelf, *questions)
    shelf.reads = 0
    assert all(reply.cached for reply in ask_with_cache(shelf, *questions))
    assert shelf.reads <= 3


def test_the_echo_is_not_remembered(models: ChatModels) -> None:
    shelf = CachedBodies()
    (reply,) = asked(
        ModelClient(models, answers=ResponseCache(shelf)), ModelRequest("echo:", [{"role": "user", "content": "a"}])
    )
    assert (reply.text, reply.cost, shelf.reads, len(shelf)) == ("a", 0.0, 0, 0)


def under(models: ChatModels, ceiling: float, **more: Any) -> tuple[ModelClient, list[float]]:
    taken: list[float] = []

    async def take(amount: float) -> bool:
        if sum(taken) + amount > ceiling:
            return False
        taken.append(amount)
        return True

    prices = PriceTable({MODEL: PriceSpec(input=1, output=1)})
    return ModelClient(models, RecordedWaits(), prices=prices, ledger=CostBudget(ceiling, 0.0, take), **more), taken


def test_under_a_ceiling_an_answer_has_an_end(models: ChatModels, stub_model: StubModelServer) -> None:
    calls, taken = under(models, 1.0)
    asked(calls, request(), request(config={"max_tokens": 7}))
    assert sorted(body["max_completion_tokens"] for body in stub_model.bodies) == [7, DEFAULT_MAX_TOKENS]
    assert sum(taken) <= 1.0
    assert calls.ledger.spent == pytest.approx(8e-6)


@pytest.mark.parametrize(
    ("reaction", "paid"),
    [
        (Reaction(status=500), True),
        (Reaction(drop=True), True),
        (Reaction(body=b"{"), True),
        (Reaction(hang=True), True),
        (Reaction(status=429), False),
        (Reaction(status=400), False),
    ],
)
def test_an_attempt_that_may_have_been_billed_counts_at_its_worst(
    models: ChatModels, stub_model: StubModelServer, reaction: Reaction, paid: bool
) -> None:
    stub_model.react = lambda number, body: reaction
    calls, _ = under(models, 1.0)

    async def ask() -> None:
        async with time_limit(0.5 if reaction.hang else 60):
            await calls.ask(request(config={"max_tokens": 10}))

    async def work() -> None:
        try:
            with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
                await ask()
        finally:
            await calls.close()

    asyncio.run(work())
    attempts = stub_model.requests
    worst = (len('[{"content":"one two","role":"user"}]') + 64 + 16 + 10) / 1_000_000
    assert calls.ledger.spent == pytest.approx(attempts * worst if paid else 0)
    assert calls.ledger.spent >= stub_model.billed(1, 1)


def test_a_model_without_a_price_is_not_asked_under_a_ceiling(models: ChatModels, stub_model: StubModelServer) -> None:
    calls, _ = under(models, 1.0)
    with pytest.raises(Exception, match="prices:"):
        asked(calls, ModelRequest("openai:no-such-model-9", [{"role": "user", "content": "a"}]))
    assert stub_model.requests == 0


def test_a_model_that_cannot_be_made_is_tried_anew_by_the_next_call(
    models: ChatModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ModelClient(models)
    monkeypatch.delenv("OPENAI_API_KEY")

    async def work() -> ModelReply:
        with pytest.raises(Exception, match="cannot be set up"):
            await calls.ask(request())
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        try:
            return await calls.ask(request())
        finally:
            await calls.close()

    assert asyncio.run(work()).text == "one two"


def test_closing_ends_what_is_still_under_way_and_counts_it(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.react = lambda number, body: Reaction(hang=True)
    calls, taken = under(models, 1.0)

    async def work() -> None:
        stray = [asyncio.create_task(calls.ask(request(config={"max_tokens": 10}))) for _ in range(3)]
        while stub_model.requests < 3:
            await asyncio.sleep(0.01)
        due = await calls.close()
        assert all(task.cancelled() for task in stray)
        assert due.spent >= stub_model.billed(1, 1) > 0
        assert due.spent + due.rest == pytest.approx(sum(taken))
        with pytest.raises(CostLimitReached):
            await calls.ask(request())

    asyncio.run(work())
    assert stub_model.requests == 3
