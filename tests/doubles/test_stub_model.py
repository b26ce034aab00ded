"""LangChain can use the stub's protocol, and the stub's counters are right."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from openai import APIError, RateLimitError
from pydantic import SecretStr

from doubles.eventually import eventually
from doubles.stub_model import Reaction, StubModelServer


@pytest.fixture
def stub() -> StubModelServer:
    return StubModelServer()


@pytest.fixture
def chat(stub: StubModelServer) -> Iterator[Any]:
    import httpx2

    with stub.listening() as url:
        client = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
        yield ChatOpenAI(
            base_url=url,
            api_key=SecretStr("k"),
            model="stub",
            max_retries=0,
            timeout=30,
            http_async_client=client,
            max_tokens=5,
        )


def test_the_stub_echoes_with_usage_and_truncates_a_long_output(stub: StubModelServer, chat: ChatOpenAI) -> None:
    reply = asyncio.run(chat.ainvoke("one two three four five six seven"))

    assert reply.text == "one two three four five"
    assert reply.response_metadata["finish_reason"] == "length"
    assert (reply.usage_metadata or {})["input_tokens"] == 7
    assert (stub.requests, stub.answered, stub.input_tokens, stub.output_tokens) == (1, 1, 7, 5)
    assert stub.billed(1.0, 2.0) == pytest.approx(17e-6)


def test_a_script_decides_the_next_reactions(stub: StubModelServer, chat: ChatOpenAI) -> None:
    stub.script += [
        Reaction(status=429, headers={"retry-after": "7"}),
        Reaction(body=b"{"),
        Reaction(drop=True),
        Reaction(hang=True),
        Reaction("fine"),
    ]

    async def ask() -> Any:
        with pytest.raises(RateLimitError) as raised:
            await chat.ainvoke("a")
        assert raised.value.response.headers["retry-after"] == "7"
        for _ in range(2):
            with pytest.raises((APIError, ValueError)):
                await chat.ainvoke("a")
        hanging = asyncio.create_task(chat.ainvoke("a"))
        assert await asyncio.to_thread(eventually, lambda: stub.requests == 4)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        return await chat.ainvoke("a")

    assert asyncio.run(ask()).text == "fine"
    assert (stub.requests, stub.answered, stub.refused) == (5, 1, 1)
    assert stub.input_tokens == 4
    assert stub.output_tokens == 3 * 5 + 1


def test_the_stub_refuses_requests_over_its_concurrency_limit(stub: StubModelServer, chat: ChatOpenAI) -> None:
    stub.concurrency_limit = 1
    stub.script.append(Reaction(hang=True))

    async def ask() -> list[Any]:
        hanging = asyncio.create_task(chat.ainvoke("a"))
        assert await asyncio.to_thread(eventually, lambda: stub.requests == 1)
        outcomes = await asyncio.gather(*(chat.ainvoke("a") for _ in range(3)), return_exceptions=True)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert await asyncio.to_thread(eventually, lambda: stub.in_flight == 0)
        return [*outcomes, await chat.ainvoke("a")]

    *refused, accepted = asyncio.run(ask())
    assert [isinstance(outcome, RateLimitError) for outcome in refused] == [True] * 3
    assert accepted.text == "a"
    assert stub.busiest > 1
