"""Two servers on one PostgreSQL: an acknowledged write is what the next lookup of each of them answers."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.databases import Postgres
from factories.served_process import ServedProcess, served_process, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.postgresql]
GREET = "/v1/prompts/greet"
MOVES = 60


@pytest.fixture
def servers(postgres: Postgres, tmp_path: Path) -> Iterator[tuple[ServedProcess, ServedProcess]]:
    with postgres.copy() as url:
        variables = {"PROMPTUARY_DATABASE_URL": url}
        with (
            served_process(tmp_path, name="first", **variables) as first,
            served_process(tmp_path, name="second", **variables) as second,
        ):
            for template in ("one", "two"):
                body = {"type": "text", "template": template, "labels": ["production"]}
                assert first.client.post(f"{GREET}/versions", json=body).status_code == 201
            for server in (first, second):
                assert [version(server) for _ in range(3)] == [2] * 3
            wait_until(lambda: postgres.count_listeners(url) == 2)
            yield first, second


def version(server: ServedProcess) -> int:
    return int(server.client.get(GREET).json()["version"])


def move(server: ServedProcess, number: int) -> None:
    response = server.client.put(f"{GREET}/labels/production", json={"version": number, "reason": "test"})
    assert response.status_code == 200, response.text


def test_a_lookup_of_another_server_sees_an_acknowledged_move(servers: tuple[ServedProcess, ServedProcess]) -> None:
    stale = []
    for number in range(MOVES):
        writer, reader = servers if number % 2 else servers[::-1]
        move(writer, number % 2 + 1)
        if version(reader) != number % 2 + 1:
            stale.append(number)
    assert stale == []


def test_a_lookup_sees_what_a_command_has_written(servers: tuple[ServedProcess, ServedProcess]) -> None:
    for number in (1, 2, 1):
        result = servers[0].command("label", "set", "greet", "production", str(number), "--reason", "test")
        assert result.returncode == 0, result.stderr
        assert [version(server) for server in servers] == [number, number]


def test_a_revoked_key_is_refused_by_every_server_at_once(servers: tuple[ServedProcess, ServedProcess]) -> None:
    first, second = servers
    for _ in range(10):
        key: Any = first.client.post("/v1/keys", json={"name": "app", "role": "reader"}).json()
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert [second.client.get(GREET, headers=headers).status_code for _ in range(3)] == [200] * 3
        assert first.client.delete(f"/v1/keys/{key['id']}").is_success
        assert second.client.get(GREET, headers=headers).status_code == 401


def test_a_server_that_was_stopped_delays_one_write_and_is_not_stale_afterwards(
    servers: tuple[ServedProcess, ServedProcess], postgres: Postgres
) -> None:
    first, second = servers
    os.kill(second.process.pid, signal.SIGSTOP)
    try:
        move(first, 1)  # waits until the stopped server may not answer from memory any more
        began = time.monotonic()
        for number in (2, 1, 2, 1):
            move(first, number)
        assert time.monotonic() - began < 20
    finally:
        os.kill(second.process.pid, signal.SIGCONT)
    assert version(second) == 1
    assert "does not react" in first.log
    url = second.environment["PROMPTUARY_DATABASE_URL"]
    wait_until(lambda: postgres.count_listeners(url) == 2)  # a write waits for the second server again from then on
    move(first, 2)
    assert version(second) == 2
