"""The money of a run: whatever is asked in whatever order, it never passes the ceiling."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.models.calls.budget import CostBudget, CostLimitReached


class Account:
    """The run's row."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self.spent = self.reserved = 0.0

    async def take(self, amount: float) -> bool:
        await asyncio.sleep(0)
        if self.spent + self.reserved + amount > self.ceiling:
            return False
        self.reserved += amount
        return True

    def write(self, ledger: CostBudget) -> None:
        amount = ledger.due()
        self.spent += amount
        self.reserved -= amount


calls = st.lists(st.tuples(st.floats(1e-6, 0.4), st.floats(0, 1)), min_size=1, max_size=60)


@given(st.floats(0.01, 2), calls, st.integers(1, 8), st.randoms(use_true_random=False))
def test_reserved_and_spent_never_pass_the_ceiling_and_cover_what_is_asked(
    ceiling: float, asked: list[tuple[float, float]], hands: int, chance: random.Random
) -> None:
    account = Account(ceiling)

    async def work() -> None:
        ledger = CostBudget(ceiling, 0.0, account.take)
        todo, real, refused = iter(asked), 0.0, 0

        async def hand() -> None:
            nonlocal real, refused
            for worst, share in todo:
                try:
                    await ledger.reserve(worst)
                except CostLimitReached:
                    refused += 1
                    return
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                real += worst * share
                ledger.settle(worst, worst * share)
                assert account.spent + account.reserved <= ceiling + 1e-9
                assert real <= account.spent + account.reserved + 1e-9  # were it killed now, all would be counted
                if chance.random() < 0.3:
                    account.write(ledger)

        await asyncio.gather(*(hand() for _ in range(hands)))
        account.write(ledger)
        account.reserved -= ledger.rest()
        assert account.reserved == pytest.approx(0, abs=1e-9)
        assert account.spent == pytest.approx(real)
        assert ledger.spent == pytest.approx(real)
        assert ledger.reached == bool(refused)

    asyncio.run(work())


def test_a_call_waits_for_room_that_another_under_way_may_leave() -> None:
    async def work() -> None:
        account = Account(1.0)
        ledger = CostBudget(1.0, 0.0, account.take)
        await ledger.reserve(0.9)
        second = asyncio.create_task(ledger.reserve(0.9))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not second.done()
        ledger.settle(0.9, 0.05)
        await second
        ledger.settle(0.9, 0.9)
        with pytest.raises(CostLimitReached):
            await ledger.reserve(0.9)
        with pytest.raises(CostLimitReached):  # the run stops as a whole, also what would still fit
            await ledger.reserve(0.001)
        await ledger.reserve(0.0)  # what costs nothing goes on

    asyncio.run(work())


def test_without_a_ceiling_everything_is_counted_and_nothing_held() -> None:
    async def work() -> None:
        account = Account(0.0)
        ledger = CostBudget(None, 2.0, account.take)
        await ledger.reserve(5.0)
        ledger.settle(0.0, 1.5)
        assert (ledger.spent, ledger.due(), ledger.due(), account.reserved) == (3.5, 1.5, 0.0, 0.0)

    asyncio.run(work())


def test_who_is_cancelled_while_money_is_being_taken_loses_no_count_of_it() -> None:
    async def work() -> None:
        account, go = Account(1.0), asyncio.Event()

        async def slow(amount: float) -> bool:
            await go.wait()
            return await account.take(amount)

        ledger = CostBudget(1.0, 0.0, slow)
        asking = asyncio.create_task(ledger.reserve(0.5))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        go.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert account.reserved == 0.5
        assert ledger.rest() == 0.5

    asyncio.run(work())


def test_several_processes_wait_for_each_others_money_and_not_for_ever() -> None:
    async def work() -> None:
        account = Account(1.0)
        ledgers: list[CostBudget] = []

        def others(number: int) -> Callable[[], Awaitable[bool]]:
            async def wait() -> bool:
                account.write(ledgers[number])
                account.reserved -= ledgers[number].spare()
                await asyncio.sleep(0)
                return account.reserved > 1e-9

            return wait

        ledgers += [CostBudget(1.0, 0.0, account.take, others(number)) for number in range(3)]
        refused = 0

        async def hand(ledger: CostBudget) -> None:
            nonlocal refused
            for _ in range(4):
                try:
                    await ledger.reserve(0.6)  # one fits at a time
                except CostLimitReached:
                    refused += 1
                    return
                await asyncio.sleep(0)
                ledger.settle(0.6, 0.05)
                account.write(ledger)
                account.reserved -= ledger.spare()

        await asyncio.gather(*map(hand, ledgers))
        assert 0.2 <= account.spent <= 0.45 + 1e-9  # all calls of one at least; after nine, 0.6 does not fit
        assert account.reserved == pytest.approx(0, abs=1e-9)
        assert sum(ledger.reached for ledger in ledgers) == refused

    asyncio.run(work())
