"""An item's time stands still while it waits in line."""

import asyncio

import pytest

from promptuary.evaluation.calls.item import in_line, is_private, private, within


def test_waiting_in_line_takes_no_time_and_what_follows_does() -> None:
    async def work() -> str:
        try:
            async with within(0.05):
                with in_line():
                    await asyncio.gather(waited(0.1), waited(0.2))
                reached.append("through the line")
                await asyncio.Event().wait()
        except TimeoutError:
            return "too slow"
        return "done"

    async def waited(seconds: float) -> None:
        with in_line():
            await asyncio.sleep(seconds)

    reached: list[str] = []
    assert asyncio.run(work()) == "too slow"
    assert reached == ["through the line"]


def test_a_block_within_its_time_ends_as_it_does() -> None:
    async def work() -> int:
        async with within(60):
            with in_line():
                return 1

    assert asyncio.run(work()) == 1
    with pytest.raises(ZeroDivisionError):
        asyncio.run(broken())


async def broken() -> None:
    async with within(60):
        with in_line():
            raise ZeroDivisionError


def test_tasks_of_a_private_block_are_private_too() -> None:
    async def told() -> bool:
        return is_private()

    async def work() -> list[bool]:
        with private(True):
            inner = await asyncio.gather(told(), asyncio.to_thread(is_private))
            with private(False):
                inner.append(is_private())
        return [*inner, is_private()]

    assert asyncio.run(work()) == [True, True, True, False]
