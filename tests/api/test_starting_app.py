"""What a server answers between the moment it listens and the moment its app is complete."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from doubles.eventually import DEADLINE_SECONDS
from factories.lookup_paths import GREET, Bearer, Units, register
from promptuary.api.app import complete_app
from promptuary.api.lookup.services import open_lookup_services
from promptuary.api.starting_app import StartingApp
from promptuary.core.database import Database
from promptuary.core.errors import BrokenPlugin, PromptuaryError

Steps = Callable[[httpx.AsyncClient, "Start"], Awaitable[None]]


class Start:
    """A start whose build waits until the test releases it."""

    def __init__(self, services: Any, error: PromptuaryError | None = None) -> None:
        self.released = threading.Event()
        self.error = error
        self.app = StartingApp(services, self._build)
        self.completion: asyncio.Task[Any] | None = None

    def _build(self, services: Any, lookup: Any) -> Any:
        assert self.released.wait(DEADLINE_SECONDS)
        if self.error is not None:
            raise self.error
        return complete_app(services, lookup)

    async def complete(self) -> None:
        assert self.completion is not None
        self.released.set()
        await self.completion


@pytest.fixture
def start(opened_database: Any, settings: Any, clock: Any) -> Callable[..., None]:
    """Run the steps of a test with a client of an app whose build has begun."""

    def run(steps: Steps, error: PromptuaryError | None = None) -> None:
        async def main() -> None:
            start = Start(open_lookup_services(settings, opened_database, clock), error)
            start.completion = asyncio.create_task(start.app.complete())
            try:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(start.app), base_url="http://127.0.0.1") as client:
                    await asyncio.wait_for(steps(client, start), DEADLINE_SECONDS)
            finally:
                start.released.set()
                await asyncio.wait([start.completion])
                await start.app.close()

        asyncio.run(main())

    return run


async def not_answered(request: asyncio.Task[httpx.Response]) -> bool:
    """Return whether a request still waits after other tasks had many turns."""
    for _ in range(100):
        await asyncio.sleep(0)
    return not request.done()


@pytest.mark.usefixtures("database")
def test_a_lookup_is_answered_before_the_app_is_complete(start: Any, unit_as: Units, bearer: Bearer) -> None:
    with unit_as("operator") as unit:
        register(unit, "greet", "Hi {{name}}", "production")
    headers = bearer("reader")

    async def steps(client: httpx.AsyncClient, start: Start) -> None:
        early = await client.get(GREET, headers=headers)
        assert (early.status_code, early.json()["template"]) == (200, "Hi {{name}}")
        unchanged = await client.get(GREET, headers=headers | {"If-None-Match": early.headers["etag"]})
        assert unchanged.status_code == 304
        await start.complete()
        assert (await client.get(GREET, headers=headers)).content == early.content

    start(steps)


def test_readiness_comes_with_the_complete_app_and_health_before(start: Any) -> None:
    async def steps(client: httpx.AsyncClient, start: Start) -> None:
        health = await client.get("/healthz")
        assert (health.status_code, health.json()) == (200, {"status": "ok"})
        starting = await client.get("/readyz")
        assert (starting.status_code, starting.json()["code"]) == (503, "unavailable")
        assert starting.headers["content-type"] == "application/problem+json"
        assert starting.headers["retry-after"] == "1"
        await start.complete()
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        later = await client.get("/healthz")
        assert (later.status_code, later.content) == (health.status_code, health.content)
        assert starting.headers.keys() - later.headers.keys() == {"retry-after"}
        assert len({answer.headers["x-request-id"] for answer in (health, starting, ready, later)}) == 4

    start(steps)


def test_other_requests_wait_for_the_complete_app(start: Any, unit_as: Units, bearer: Bearer) -> None:
    headers = bearer("reader")

    async def steps(client: httpx.AsyncClient, start: Start) -> None:
        paths = ("/v1/prompts", "/v1/prompts/absent", "/healthz?x=1", "/metrics")
        requests = [asyncio.create_task(client.get(path, headers=headers)) for path in paths]
        posted = asyncio.create_task(client.post("/v1/prompts/a/versions", headers=headers, json={}))
        foreign = asyncio.create_task(client.get("/healthz", headers={"Host": "attacker.example"}))
        for request in (requests[0], requests[1], requests[3], posted, foreign):
            assert await not_answered(request)
        await start.complete()
        statuses = [(await request).status_code for request in (*requests, posted, foreign)]
        assert statuses == [200, 404, 200, 403, 403, 400]

    start(steps)


def test_requests_that_wait_for_an_app_that_fails_are_refused(start: Any) -> None:
    async def steps(client: httpx.AsyncClient, start: Start) -> None:
        request = asyncio.create_task(client.get("/api/public/v2/prompts/greet"))
        assert await not_answered(request)
        with pytest.raises(BrokenPlugin):
            await start.complete()
        refused = await request
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {
            "message": "the service cannot start; its log has the reason",
            "error": "ServiceUnavailableError",
        }

    start(steps, BrokenPlugin("the plug-in 'x' does not load"))


def test_a_database_that_was_passed_in_stays_open(start: Any, database: Database) -> None:
    async def steps(_client: httpx.AsyncClient, _start: Start) -> None:
        """End before the app is complete."""

    start(steps)
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar_one() == 1
