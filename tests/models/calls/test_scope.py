"""An item's time stands still while it waits in line."""

import asyncio

import pytest

from promptuary.models.calls.scope import calls_are_sensitive, sensitive_calls, time_limit, time_limit_paused


def test_waiting_in_line_takes_no_time_and_what_follows_does() -> None:
    async def work() -> str:
        try:
            async with time_limit(0.05):
                with time_limit_paused():
                    await asyncio.gather(waited(0.1), waited(0.2))
                reached.append("through the line")
                await asyncio.Event().wait()
        except TimeoutError:
            return "too slow"
        return "done"

    async def waited(seconds: float) -> None:
        with time_limit_paused():
            await asyncio.sleep(seconds)

    reached: list[str] = []
    assert asyncio.run(work()) == "too slow"
    assert reached == ["through the line"]


def test_a_block_within_its_time_ends_as_it_does() -> None:
    async def work() -> int:
        async with time_limit(60):
            with time_limit_paused():
                return 1

    assert asyncio.run(work()) == 1
    with pytest.raises(ZeroDivisionError):
        asyncio.run(broken())


async def broken() -> None:
    async with time_limit(60):
        with time_limit_paused():
            raise ZeroDivisionError


def test_tasks_of_a_private_block_are_private_too() -> None:
    async def told() -> bool:
        return calls_are_sensitive()

    async def work() -> list[bool]:
        with sensitive_calls(True):
            inner = await asyncio.gather(told(), asyncio.to_thread(calls_are_sensitive))
            with sensitive_calls(False):
                inner.append(calls_are_sensitive())
        return [*inner, calls_are_sensitive()]

    assert asyncio.run(work()) == [True, True, True, False]
