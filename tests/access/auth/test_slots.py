"""However many ask at once, each gets its turn: nobody waits for a thread or a connection that only the waiting ones have."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from promptuary.access.auth.slots import READER_SLOTS, WRITER_SLOTS, DatabaseSlots
from promptuary.core.database import CONNECTIONS
from promptuary.core.errors import DatabaseBusy

AT_ONCE = 100  # more than there are threads or connections
THREADS = 40  # of Starlette's pool


async def all_at_once(
    app: Any, headers: dict[str, str], method: str, path: Callable[[int], str], body: Any
) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://127.0.0.1", headers=headers, transport=transport, timeout=60) as client:
        asked = [client.request(method, path(number), json=body and body(number)) for number in range(AT_ONCE)]
        return list(await asyncio.gather(*asked))


def test_a_hundred_writers_at_once_all_write(database: Any, app: Any, bearer: Callable[..., dict[str, str]]) -> None:
    def body(number: int) -> dict[str, Any]:
        return {"type": "text", "template": f"text {number}"}

    answers = asyncio.run(all_at_once(app, bearer("author"), "POST", lambda _: "/v1/prompts/p/versions", body))
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, AT_ONCE + 1))


def test_a_hundred_readers_at_once_all_read(database: Any, app: Any, bearer: Callable[..., dict[str, str]]) -> None:
    answers = asyncio.run(all_at_once(app, bearer("reader"), "GET", lambda _: "/v1/prompts", None))
    assert {answer.status_code for answer in answers} == {200}


def test_fewer_have_a_turn_than_there_are_threads_and_connections() -> None:
    for writers in WRITER_SLOTS.values():
        assert READER_SLOTS + writers < min(THREADS, CONNECTIONS)


def test_writers_come_in_their_order_and_readers_do_not_wait_for_them() -> None:
    async def take() -> list[int]:
        turns, came = DatabaseSlots("sqlite"), []

        async def write(number: int) -> None:
            async with turns.turn(writing=True):
                came.append(number)
                await asyncio.sleep(0)

        async with turns.turn(writing=True):
            waiting = [asyncio.ensure_future(write(number)) for number in range(5)]
            await asyncio.sleep(0)
            assert came == []
            async with turns.turn(writing=False):
                pass
        await asyncio.gather(*waiting)
        return came

    assert asyncio.run(take()) == list(range(5))


def test_who_waits_too_long_is_told_to_come_back() -> None:
    async def wait() -> None:
        turns = DatabaseSlots("sqlite", patience=0.01)
        async with turns.turn(writing=True):
            with pytest.raises(DatabaseBusy, match="too many requests wait for the database; try again"):
                async with turns.turn(writing=True):
                    pass
        async with turns.turn(writing=True):  # who gave up holds nothing
            pass

    asyncio.run(wait())
