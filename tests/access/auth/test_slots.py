"""Each of many requests at once gets a slot; none waits for a thread or connection that only waiting requests have."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from promptuary.access.auth.slots import READER_SLOTS, WRITER_SLOTS, DatabaseSlots
from promptuary.access.service import AccessService
from promptuary.core.database import MAX_CONNECTIONS
from promptuary.core.errors import DatabaseBusy

AT_ONCE = 100  # more than there are threads or connections
THREADS = 40  # of Starlette's pool


async def all_at_once(
    app: Any, headers: dict[str, str], method: str, path: Callable[[int], str], body: Any
) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://127.0.0.1", headers=headers, transport=transport, timeout=60) as client:
        requests = [client.request(method, path(number), json=body and body(number)) for number in range(AT_ONCE)]
        return list(await asyncio.gather(*requests))


def test_a_hundred_writers_at_once_all_write(database: Any, app: Any, bearer: Callable[..., dict[str, str]]) -> None:
    def body(number: int) -> dict[str, Any]:
        return {"type": "text", "template": f"text {number}"}

    responses = asyncio.run(all_at_once(app, bearer("author"), "POST", lambda _: "/v1/prompts/p/versions", body))
    assert {response.status_code for response in responses} == {201}
    assert sorted(response.json()["version"] for response in responses) == list(range(1, AT_ONCE + 1))


def test_a_hundred_readers_at_once_all_read(database: Any, app: Any, bearer: Callable[..., dict[str, str]]) -> None:
    responses = asyncio.run(all_at_once(app, bearer("reader"), "GET", lambda _: "/v1/prompts", None))
    assert {response.status_code for response in responses} == {200}


def test_there_are_fewer_slots_than_threads_and_connections() -> None:
    for writers in WRITER_SLOTS.values():
        assert READER_SLOTS + writers < min(THREADS, MAX_CONNECTIONS)


def test_writers_take_turns_in_order_and_readers_do_not_wait_for_them() -> None:
    async def take_turns() -> list[int]:
        slots, order = DatabaseSlots("sqlite"), []

        async def write(number: int) -> None:
            async with slots.acquire(writing=True):
                order.append(number)
                await asyncio.sleep(0)

        async with slots.acquire(writing=True):
            writers = [asyncio.ensure_future(write(number)) for number in range(5)]
            await asyncio.sleep(0)
            assert order == []
            async with slots.acquire(writing=False):
                pass
        await asyncio.gather(*writers)
        return order

    assert asyncio.run(take_turns()) == list(range(5))


def test_a_request_that_gets_no_slot_in_time_is_refused_and_keeps_none() -> None:
    async def wait() -> None:
        slots = DatabaseSlots("sqlite", timeout=0.01)
        async with slots.acquire(writing=True):
            with pytest.raises(DatabaseBusy, match="too many requests wait for the database; try again"):
                async with slots.acquire(writing=True):
                    pass
        async with slots.acquire(writing=True):
            pass

    asyncio.run(wait())


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_key_revoked_while_its_request_waits_for_a_slot_is_refused(
    app: Any, bearer: Callable[..., dict[str, str]], unit_as: Callable[..., Any], method: str
) -> None:
    headers = bearer("author")
    key_id = headers["Authorization"].split("_")[1]
    acquire = app.services.slots.acquire

    @asynccontextmanager
    async def acquire_after_revocation(*, writing: bool) -> AsyncIterator[None]:
        with unit_as("admin") as unit:
            AccessService(unit).revoke_key(key_id)
        async with acquire(writing=writing):
            yield

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(base_url="http://127.0.0.1", headers=headers, transport=transport) as client:
            return await client.request(method, "/v1/collections/c", json={} if method == "PUT" else None)

    app.services.slots.acquire = acquire_after_revocation
    response = asyncio.run(send())
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
