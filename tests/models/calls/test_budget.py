"""The cost budget of a run: whatever is called in whatever order, spending never passes the limit."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.virtual_time import let_tasks_run
from promptuary.models.calls.budget import CostBudget, CostLimitReached, Settlement


class Account:
    """The money in a run's row, for one process."""

    shared = False

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.spent = self.reserved = 0.0
        self.reservations = 0

    async def reserve(self, amount: float) -> bool:
        self.reservations += 1
        await asyncio.sleep(0)
        if self.spent + self.reserved + amount > self.limit:
            return False
        self.reserved += amount
        return True

    async def wait_for_others(self, settlement: Settlement) -> bool:
        raise AssertionError("there are no others")

    def write(self, settlement: Settlement) -> None:
        self.spent += settlement.spent
        self.reserved -= settlement.spent + settlement.released


class SharedAccount(Account):
    """The money in a run's row that several processes share."""

    shared = True

    async def wait_for_others(self, settlement: Settlement) -> bool:
        self.write(settlement)
        await asyncio.sleep(0)
        return self.reserved > 1e-9


class PausedAccount(Account):
    """An account that answers a reservation only when the test lets it.

    Attributes:
        asked: is set when a reservation waits for its answer.
        answer: lets it answer.
    """

    def __init__(self, limit: float) -> None:
        super().__init__(limit)
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.answer.set()

    async def reserve(self, amount: float) -> bool:
        granted = await super().reserve(amount)
        self.asked.set()
        await self.answer.wait()
        return granted


calls = st.lists(st.tuples(st.floats(1e-6, 0.4), st.floats(0, 1)), min_size=1, max_size=60)


@given(st.floats(0.01, 2), calls, st.integers(1, 8), st.randoms(use_true_random=False))
def test_reserved_and_spent_stay_under_the_limit_and_cover_every_call(
    limit: float, planned: list[tuple[float, float]], workers: int, chance: random.Random
) -> None:
    account = Account(limit)

    async def work() -> None:
        budget = CostBudget(limit, 0.0, account)
        remaining, cost, refused = iter(planned), 0.0, 0

        async def worker() -> None:
            nonlocal cost, refused
            for highest, share in remaining:
                try:
                    await budget.reserve(highest)
                except CostLimitReached:
                    refused += 1
                    return
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                cost += highest * share
                budget.commit(highest, highest * share)
                assert account.spent + account.reserved <= limit + 1e-9
                assert cost <= account.spent + account.reserved + 1e-9  # if the process were killed now, all would be counted
                if chance.random() < 0.3:
                    account.write(budget.take_settlement())

        await asyncio.gather(*(worker() for _ in range(workers)))
        account.write(budget.take_settlement(unused=True))
        assert account.reserved == pytest.approx(0, abs=1e-9)
        assert account.spent == pytest.approx(cost)
        assert budget.spent == pytest.approx(cost)
        assert budget.exhausted == bool(refused)

    asyncio.run(work())


def test_a_call_waits_for_room_that_a_call_in_flight_may_leave() -> None:
    async def work() -> None:
        budget = CostBudget(1.0, 0.0, Account(1.0))
        await budget.reserve(0.9)
        second = asyncio.create_task(budget.reserve(0.9))
        await let_tasks_run()
        assert not second.done()
        budget.commit(0.9, 0.05)
        await second
        budget.commit(0.9, 0.9)
        with pytest.raises(CostLimitReached):
            await budget.reserve(0.9)
        with pytest.raises(CostLimitReached):  # the run stops as a whole: smaller calls are refused too
            await budget.reserve(0.001)
        await budget.reserve(0.0)  # a free call is still allowed

    asyncio.run(work())


def test_room_that_a_call_leaves_while_the_store_answers_is_used() -> None:
    async def work() -> None:
        account = PausedAccount(1.0)
        budget = CostBudget(1.0, 0.0, account)
        await budget.reserve(0.9)
        account.asked.clear()
        account.answer.clear()
        second = asyncio.create_task(budget.reserve(0.9))
        await account.asked.wait()  # the store refuses what was short a moment ago …
        budget.commit(0.9, 0.05)  # … and now there is room: the last call in flight has cost little
        account.answer.set()
        await second
        assert not budget.exhausted
        assert account.spent + account.reserved <= 1.0

    asyncio.run(work())


def test_a_reservation_of_a_cancelled_call_counts_for_the_next_one() -> None:
    async def work() -> None:
        account = PausedAccount(1.0)
        budget = CostBudget(1.0, 0.0, account)
        account.answer.clear()
        first = asyncio.create_task(budget.reserve(1.0))
        await account.asked.wait()
        first.cancel()
        second = asyncio.create_task(budget.reserve(1.0))
        await let_tasks_run()  # the store has refused the second, since it has granted the first
        account.answer.set()
        await second
        assert first.cancelled()

    asyncio.run(work())


def test_a_finished_call_makes_room_for_exactly_what_it_had_reserved() -> None:
    async def work() -> None:
        account = Account(1.0)
        budget = CostBudget(1.0, 0.0, account)
        await budget.reserve(0.4)
        await budget.reserve(0.4)
        budget.release(0.4)
        third = asyncio.create_task(budget.reserve(0.5))
        await let_tasks_run()
        assert third.done()  # beside the call that is still in flight
        fourth = asyncio.create_task(budget.reserve(0.2))
        await let_tasks_run()
        assert not fourth.done()
        fourth.cancel()
        assert account.reserved <= 1.0

    asyncio.run(work())


def test_without_a_limit_every_cost_is_counted_and_nothing_reserved() -> None:
    async def work() -> None:
        account = Account(0.0)
        budget = CostBudget(None, 2.0, account)
        await budget.reserve(5.0)
        budget.commit(0.0, 1.5)
        assert budget.spent == 3.5
        assert budget.take_settlement() == Settlement(1.5)
        assert not budget.take_settlement()
        assert account.reservations == 0

    asyncio.run(work())


def test_an_amount_that_arrives_after_a_cancellation_is_not_lost() -> None:
    async def work() -> None:
        account = PausedAccount(1.0)
        account.answer.clear()
        budget = CostBudget(1.0, 0.0, account)
        reserving = asyncio.create_task(budget.reserve(0.5))
        await account.asked.wait()
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
        account.answer.set()
        await let_tasks_run()
        assert account.reserved == 0.5
        assert budget.take_settlement(unused=True) == Settlement(0.0, 0.5)

    asyncio.run(work())


def test_a_closed_budget_refuses_those_that_wait_and_those_that_come() -> None:
    async def work() -> None:
        budget = CostBudget(1.0, 0.0, Account(1.0))
        await budget.reserve(0.9)
        waiting = asyncio.create_task(budget.reserve(0.9))
        await let_tasks_run()
        budget.close()
        for reservation in (waiting, budget.reserve(0.0)):
            with pytest.raises(CostLimitReached):
                await reservation

    asyncio.run(work())


def test_processes_wait_for_each_others_money_but_not_for_ever() -> None:
    async def work() -> None:
        account = SharedAccount(1.0)
        budgets = [CostBudget(1.0, 0.0, account) for _ in range(3)]
        refused = 0

        async def process(budget: CostBudget) -> None:
            nonlocal refused
            for _ in range(4):
                try:
                    await budget.reserve(0.6)  # one fits at a time
                except CostLimitReached:
                    refused += 1
                    return
                await asyncio.sleep(0)
                budget.commit(0.6, 0.05)
                account.write(budget.take_settlement(unused=True))

        await asyncio.gather(*map(process, budgets))
        assert 0.2 <= account.spent <= 0.45 + 1e-9  # all calls of one at least; after nine, 0.6 does not fit
        assert account.reserved == pytest.approx(0, abs=1e-9)
        assert sum(budget.exhausted for budget in budgets) == refused

    asyncio.run(work())
