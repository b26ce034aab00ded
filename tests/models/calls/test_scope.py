"""The time limit of an item stops while its calls wait their turn."""

import asyncio

import pytest

from doubles.virtual_time import run_in_virtual_time
from promptuary.models.calls.scope import calls_are_sensitive, sensitive_calls, time_limit, time_limit_paused


def test_a_wait_for_a_turn_takes_no_time_and_what_follows_does() -> None:
    async def wait(seconds: float) -> None:
        with time_limit_paused():
            await asyncio.sleep(seconds)

    async def work() -> float:
        loop = asyncio.get_running_loop()
        try:
            async with time_limit(5):
                with time_limit_paused():
                    await asyncio.gather(wait(10), wait(20))
                assert loop.time() == 20
                await asyncio.Event().wait()
        except TimeoutError:
            return loop.time()
        raise AssertionError("there is no timeout")

    assert run_in_virtual_time(work()) == 25


def test_a_block_within_its_time_ends_as_usual() -> None:
    async def work() -> int:
        async with time_limit(60):
            with time_limit_paused():
                return 1

    async def fail() -> None:
        async with time_limit(60):
            with time_limit_paused():
                raise ZeroDivisionError

    assert asyncio.run(work()) == 1
    with pytest.raises(ZeroDivisionError):
        asyncio.run(fail())


def test_tasks_of_a_sensitive_block_are_sensitive_too() -> None:
    async def in_a_task() -> bool:
        return calls_are_sensitive()

    async def work() -> list[bool]:
        with sensitive_calls(True):
            inner = await asyncio.gather(in_a_task(), asyncio.to_thread(calls_are_sensitive))
            with sensitive_calls(False):
                inner.append(calls_are_sensitive())
        return [*inner, calls_are_sensitive()]

    assert asyncio.run(work()) == [True, True, True, False]
