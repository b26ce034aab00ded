"""The client follows the real server's stream: what was moved there is seen here without asking."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from client.live_server import wait_until
from client.loopback_server import AsyncHarness, Client, SyncHarness
from promptuary import AsyncPromptuary, Prompt, Promptuary
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.prompt.content import Content
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]
WAIT = 20.0


@pytest.fixture(autouse=True)
def _two_versions(unit_as: Units) -> None:
    for number in (1, 2):
        with unit_as("author") as unit:
            labels = ("production",) if number == 1 else ()
            Registry(unit).register("p", Content(type="text", template=f"text {number}"), labels=labels)


def test_a_moved_label_is_seen_though_the_answer_in_memory_is_good_for_hours(
    database: Any, url: str, key: Callable[..., str], unit_as: Units, tmp_path: Path
) -> None:
    with Promptuary(url, key("reader"), ttl=3600, deadline=20, cache_dir=tmp_path) as client:
        assert client.get("p").version == 1
        wait_until(lambda: client.following)
        with unit_as("author") as unit:
            Labels(unit).move("p", "production", 2, "better")
        wait_until(lambda: client.get("p").version == 2)
        with unit_as("author") as unit:
            Labels(unit).split("p", "production", [(1, 1.0), (2, 1.0)], "or not")
        wait_until(lambda: client.get("p").variant == "v1")
        keys = [f"user-{number}" for number in range(40)]
        with unit_as("reader") as unit:
            expected = {name: Registry(unit).lookup("p", targeting_key=name).variant for name in keys}
        assert {name: client.get("p", targeting_key=name).variant for name in keys} == expected


def test_the_client_for_asyncio_does_the_same(url: str, key: Callable[..., str], unit_as: Units, tmp_path: Path) -> None:
    async def follow() -> None:
        async with AsyncPromptuary(url, key("reader"), ttl=3600, deadline=20, cache_dir=tmp_path) as client:
            assert (await client.get("p")).version == 1
            end = time.monotonic() + WAIT
            while not client.following:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

            def move() -> None:
                with unit_as("author") as unit:
                    Labels(unit).move("p", "production", 2, "better")

            await asyncio.to_thread(move)
            while (await client.get("p")).version != 2:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

    asyncio.run(follow())


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", [SyncHarness, AsyncHarness])
def test_new_versions_archiving_and_restoring_are_seen_too(
    keep: bool, kind: type[Client], url: str, key: Callable[..., str], unit_as: Units, tmp_path: Path
) -> None:
    client = kind(url=url, api_key=key("reader"), ttl=3600, deadline=20, cache_dir=tmp_path, keep_on_missing=keep)

    def fresh(label: str) -> Prompt | None:
        return client.client._core.fresh_prompt("p", label, None, None)

    try:
        assert (client.get("p").version, client.get("p", label="latest").version) == (1, 2)
        wait_until(lambda: client.client.following and fresh("production") is not None and fresh("latest") is not None)
        client.settle()
        with unit_as("author") as unit:
            Registry(unit).register("p", Content(type="text", template="text 3"))
        wait_until(lambda: client.get("p", label="latest").version == 3)
        with unit_as("author") as unit:
            Registry(unit).archive("p", "no longer")
        wait_until(lambda: fresh("production") is None)
        wait_until(lambda: client.get("p", fallback="x").source == ("memory" if keep else "fallback"))
        with unit_as("author") as unit:
            Registry(unit).restore("p", "after all")
        wait_until(lambda: client.get("p", fallback="x").version == 1 and fresh("production") is not None)
    finally:
        client.close()
