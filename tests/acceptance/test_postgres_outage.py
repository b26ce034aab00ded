"""A PostgreSQL server that stands still, is stopped or is killed: lookups continue, everything else is refused in time."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.databases import Postgres
from factories.served_process import ServedProcess, served_process, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.postgresql]
LIMIT_SECONDS = 5.0
"""The time within which a request that needs the database is refused."""
SLACK_SECONDS = 35.0
"""What a test allows besides, for a machine that is busy with other things."""
GREET = "/v1/prompts/greet"
WRITERS = 60
"""More than the server has threads and connections."""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="promptuary-pg-"))
    server = Postgres(folder)
    yield server
    server.start_again()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(own_postgres: Postgres, tmp_path: Path) -> Iterator[ServedProcess]:
    with own_postgres.copy() as url, served_process(tmp_path, PROMPTUARY_DATABASE_URL=url) as served:
        body = {"type": "text", "template": "Hi", "labels": ["production"]}
        assert served.client.post(f"{GREET}/versions", json=body).status_code == 201
        assert [served.client.get(GREET).status_code for _ in range(2)] == [200, 200]
        wait_until(lambda: own_postgres.count_listeners(url) == 1)
        assert served.client.get(GREET).status_code == 200
        yield served
        own_postgres.start_again()


def requests_to_the_database(served: ServedProcess) -> dict[str, tuple[int, str | None, float]]:
    """Send one request of each sort at once; return status, Retry-After and seconds of each."""

    def send(method: str, path: str, body: Any = None) -> tuple[int, str | None, float]:
        started = time.monotonic()
        response = client.request(method, path, json=body)
        return response.status_code, response.headers.get("retry-after"), time.monotonic() - started

    calls: dict[str, tuple[Any, ...]] = {
        "ready": ("GET", "/readyz"),
        "list": ("GET", "/v1/prompts"),
        "cold lookup": ("GET", f"{GREET}?version=99"),
        "write": ("POST", f"{GREET}/versions", {"type": "text", "template": "Ho"}),
        "label": ("PUT", f"{GREET}/labels/production", {"version": 1}),
        "metrics": ("GET", "/metrics"),
    }
    calls |= {
        f"write {number}": ("POST", f"{GREET}/versions", {"type": "text", "template": str(number)}) for number in range(WRITERS)
    }
    limits = httpx.Limits(max_connections=len(calls))
    with (
        httpx.Client(base_url=served.url, headers=served.headers, timeout=120, limits=limits) as client,
        ThreadPoolExecutor(len(calls)) as pool,
    ):
        pending = {name: pool.submit(send, *call) for name, call in calls.items()}
        return {name: future.result() for name, future in pending.items()}


def test_while_the_server_stands_still_requests_are_refused_in_time(own_postgres: Postgres, server: ServedProcess) -> None:
    own_postgres.stand_still()
    for _ in range(2):
        results = requests_to_the_database(server)
        assert {status for status, _, _ in results.values()} == {503}, results
        assert all(retry_after for _, retry_after, _ in results.values()), results
        assert max(seconds for _, _, seconds in results.values()) < LIMIT_SECONDS + SLACK_SECONDS, results
        assert [server.client.get(GREET).status_code for _ in range(20)] == [200] * 20
        assert server.client.get("/healthz").status_code == 200
    own_postgres.proceed()
    wait_until(lambda: server.client.get("/readyz").status_code == 200)
    results = requests_to_the_database(server)
    assert {status for status, _, _ in results.values()} <= {200, 201, 404}, results
    assert "Traceback" not in server.log


def test_lookups_continue_while_the_server_stands_still(own_postgres: Postgres, server: ServedProcess) -> None:
    """Sixty writes wait for the server, and no lookup waits with them."""
    own_postgres.stand_still()
    waiting = threading.Thread(target=requests_to_the_database, args=(server,))
    waiting.start()
    statuses = []
    while waiting.is_alive():
        statuses.append(server.client.get(GREET).status_code)
    own_postgres.proceed()
    assert set(statuses) == {200}
    assert len(statuses) > 20


def test_a_server_that_was_killed_is_used_again_when_it_runs(own_postgres: Postgres, server: ServedProcess) -> None:
    own_postgres.kill()
    results = requests_to_the_database(server)
    assert {status for status, _, _ in results.values()} == {503}, results
    assert all(retry_after for _, retry_after, _ in results.values()), results
    assert max(seconds for _, _, seconds in results.values()) < LIMIT_SECONDS + SLACK_SECONDS
    assert server.client.get(GREET).status_code == 200
    own_postgres.start_again()
    wait_until(lambda: server.client.get("/readyz").status_code == 200)
    assert server.client.post(f"{GREET}/versions", json={"type": "text", "template": "after"}).status_code == 201
    assert "Traceback" not in server.log


def test_a_lock_that_another_session_keeps_is_not_waited_for_longer(own_postgres: Postgres, server: ServedProcess) -> None:
    name = server.environment["PROMPTUARY_DATABASE_URL"].partition("?")[0].rpartition("/")[2]
    from promptuary.core.database import Database

    other = Database(own_postgres.url(name))
    try:
        with other.write() as session:
            session.connection().exec_driver_sql("LOCK TABLE prompt IN ACCESS EXCLUSIVE MODE")
            response = server.client.get("/v1/prompts")
            assert (response.status_code, response.json()["code"]) == (503, "busy")
            assert response.headers["retry-after"]
            assert server.client.get(GREET).status_code == 200
    finally:
        other.dispose()
    assert server.client.get("/v1/prompts").status_code == 200
