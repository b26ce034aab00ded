"""Model calls under a cost limit: what each may cost is reserved first, and what it did cost is counted."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage

from doubles.fake_model import FakeModel, echo_with_usage
from doubles.stub_model import Reaction, StubModelServer
from doubles.virtual_time import run_in_virtual_time
from factories.model_calls import MODEL, RecordedWaits, ask_all, model_request
from promptuary.evaluation.suites.suite import PriceSpec
from promptuary.models.calls import ModelClient, ModelRequest
from promptuary.models.calls.budget import CostBudget, CostLimitReached, Settlement
from promptuary.models.calls.pricing import DEFAULT_MAX_TOKENS, PriceTable
from promptuary.models.chat_models import ChatModels

PRICES = PriceTable({MODEL: PriceSpec(input=1, output=1)})


@dataclass
class Account:
    """The money in a run's row."""

    limit: float
    reserved: list[float] = field(default_factory=list)
    shared: bool = False

    async def reserve(self, amount: float) -> bool:
        if sum(self.reserved) + amount > self.limit:
            return False
        self.reserved.append(amount)
        return True

    async def wait_for_others(self, settlement: Settlement) -> bool:
        raise AssertionError("there are no others")


def client_with_limit(models: Any, account: Account) -> ModelClient:
    """Build a client whose run may cost what the account has; a token costs a millionth of a dollar."""
    return ModelClient(models, RecordedWaits(), prices=PRICES, budget=CostBudget(account.limit, 0.0, account))


def test_a_reply_has_a_highest_length_under_a_cost_limit(models: ChatModels, stub_model: StubModelServer) -> None:
    account = Account(1.0)
    client = client_with_limit(models, account)
    ask_all(client, model_request(), model_request(config={"max_tokens": 7}))
    assert sorted(body["max_completion_tokens"] for body in stub_model.bodies) == [7, DEFAULT_MAX_TOKENS]
    assert sum(account.reserved) <= 1.0
    assert client.budget.spent == pytest.approx(8e-6)


@pytest.mark.parametrize(
    ("reaction", "billed"),
    [
        (Reaction(status=500), True),
        (Reaction(drop=True), True),
        (Reaction(body=b"{"), True),
        (Reaction(hang=True), True),
        (Reaction(status=429), False),
        (Reaction(status=400), False),
    ],
)
def test_an_attempt_that_may_be_billed_counts_at_its_highest_cost(
    models: ChatModels, stub_model: StubModelServer, reaction: Reaction, billed: bool
) -> None:
    stub_model.react = lambda number, body: reaction
    client = client_with_limit(models, Account(1.0))

    async def work() -> None:
        call = asyncio.create_task(client.ask(model_request(config={"max_tokens": 10})))
        if reaction.hang:
            while not stub_model.requests:
                await asyncio.sleep(0.01)
            call.cancel()
        (error,) = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(error, BaseException)
        await client.close()

    asyncio.run(work())
    highest = (len('[{"content":"one two","role":"user"}]') + 64 + 16 + 10) / 1_000_000
    assert client.budget.spent == pytest.approx(stub_model.requests * highest if billed else 0)
    assert client.budget.spent >= stub_model.billed(1, 1)


def test_a_model_without_a_price_is_not_called_under_a_cost_limit(models: ChatModels, stub_model: StubModelServer) -> None:
    with pytest.raises(Exception, match="prices:"):
        ask_all(
            client_with_limit(models, Account(1.0)),
            ModelRequest("openai:no-such-model-9", [{"role": "user", "content": "a"}]),
        )
    assert stub_model.requests == 0


def test_closing_cancels_calls_in_flight_and_counts_them(models: ChatModels, stub_model: StubModelServer) -> None:
    stub_model.react = lambda number, body: Reaction(hang=True)
    account = Account(1.0)
    client = client_with_limit(models, account)

    async def work() -> None:
        calls = [asyncio.create_task(client.ask(model_request(config={"max_tokens": 10}))) for _ in range(3)]
        while stub_model.requests < 3:
            await asyncio.sleep(0.01)
        settlement = (await client.close()).settlement
        assert all(call.cancelled() for call in calls)
        assert settlement.spent >= stub_model.billed(1, 1) > 0
        assert settlement.spent + settlement.released == pytest.approx(sum(account.reserved))
        with pytest.raises(CostLimitReached):
            await client.ask(model_request())

    asyncio.run(work())
    assert stub_model.requests == 3


def test_a_call_that_waited_for_money_does_not_start_in_a_pause() -> None:
    class Refused(Exception):
        status_code = 429
        response = httpx.Response(429, headers={"retry-after": "30"})

    class SlowAccount(Account):
        async def reserve(self, amount: float) -> bool:
            if self.reserved:  # only the second call waits for the store
                await refused.wait()
            return await super().reserve(amount)

    async def work() -> dict[str, list[float]]:
        nonlocal refused
        refused = asyncio.Event()
        loop, started = asyncio.get_running_loop(), dict[str, list[float]]()

        async def respond(messages: Any) -> AIMessage:
            text = messages[-1]["content"]
            started.setdefault(text, []).append(loop.time())
            if text == "first" and len(started[text]) == 1:
                while not second_waits():
                    await asyncio.sleep(0)
                loop.call_soon(refused.set)
                raise Refused
            return await echo_with_usage(messages)

        account = SlowAccount(1.0)
        budget = CostBudget(1.0, 0.0, account)
        client = ModelClient(FakeModel(respond), RecordedWaits(), prices=PRICES, budget=budget, clock=loop.time)

        def second_waits() -> bool:
            return client._limiters["openai"].in_flight == 2

        config = {"max_tokens": 100_000}
        await asyncio.gather(*(client.ask(model_request(text, config=config)) for text in ("first", "second")))
        return started

    refused: asyncio.Event
    started = run_in_virtual_time(work())
    assert started["first"][0] == 0.0
    assert len(started["second"]) == 1
    assert started["second"][0] >= 30.0
