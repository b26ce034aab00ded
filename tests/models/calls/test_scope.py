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


def test_a_limit_that_passes_in_a_pause_counts_from_its_end() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        try:
            async with time_limit(5):
                await asyncio.sleep(3)
                for _ in range(3):
                    with time_limit_paused():
                        await asyncio.sleep(100)
                await asyncio.Event().wait()
        except TimeoutError:
            return loop.time()
        raise AssertionError("there is no timeout")

    assert run_in_virtual_time(work()) == 305


def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def limited() -> None:
        async with time_limit(5):
            await asyncio.Event().wait()

    async def work() -> bool:
        task = asyncio.create_task(limited())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run_in_virtual_time(work())


def test_limits_inside_each_other_end_their_own_block() -> None:
    async def work() -> list[float]:
        loop, ends = asyncio.get_running_loop(), []
        try:
            async with time_limit(10):
                try:
                    async with time_limit(2):
                        await asyncio.Event().wait()
                except TimeoutError:
                    ends.append(loop.time())
                await asyncio.Event().wait()
        except TimeoutError:
            ends.append(loop.time())
        return ends

    assert run_in_virtual_time(work()) == [2, 10]
