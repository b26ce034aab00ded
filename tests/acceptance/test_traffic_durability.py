"""The intake of a killed server: no acknowledged batch is lost, and none is counted twice."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from factories.served_process import ServedProcess, served_process, wait_until
from promptuary.core.database import Database
from promptuary.traffic.tables import HourRow, ObservationRow

pytestmark = pytest.mark.acceptance
SENDERS, BATCHES, CALLS = 4, 12, 25
KILLS = 2


def observation(name: str) -> dict[str, str]:
    return {"id": name, "response_id": f"answer-{name}", "at": "2026-03-02T11:59:00Z", "output": "a text " * 100}


class Senders:
    """Programs that send batches, each until it is acknowledged, to the server that runs at the time."""

    def __init__(self) -> None:
        self.server: ServedProcess | None = None
        self.acknowledged = 0
        self.refusals: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send_all, args=(number,), daemon=True) for number in range(SENDERS)]

    def __enter__(self) -> "Senders":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    def _send_all(self, sender: int) -> None:
        with httpx.Client(timeout=60) as client:
            for batch in range(BATCHES):
                calls = [observation(f"{sender}-{batch}-{number}") for number in range(CALLS)]
                while not self._is_acknowledged(client, calls):
                    time.sleep(0.05)
                with self._lock:
                    self.acknowledged += 1

    def _is_acknowledged(self, client: httpx.Client, calls: list[dict[str, str]]) -> bool:
        server = self.server
        if server is None:
            return False
        with suppress(httpx.TransportError):
            response = client.post(f"{server.url}/v1/observations", json={"observations": calls}, headers=server.headers)
            if response.status_code not in (202, 429, 503):
                self.refusals.append(response.text)
            return response.status_code not in (429, 503)
        return False


@pytest.fixture
def count(empty_url: str) -> Iterator[Database]:
    """The database in which the servers count."""
    database = Database(empty_url)
    yield database
    database.dispose()


def test_a_killed_server_loses_no_acknowledged_batch_and_counts_none_twice(
    tmp_path: Path, empty_url: str, count: Database
) -> None:
    with Senders() as senders:
        for number in range(KILLS + 1):
            with served_process(tmp_path, name=f"server-{number}", PROMPTUARY_DATABASE_URL=empty_url) as server:
                senders.server = server
                goal = SENDERS * BATCHES * (number + 1) // (KILLS + 1)
                wait_until(lambda goal=goal: senders.acknowledged >= goal)  # type: ignore[misc]  # bound now
                senders.server = None if number < KILLS else server
                server.process.kill()
    assert senders.refusals == []
    with count.read() as session:
        assert sum(session.exec(select(HourRow.calls))) == SENDERS * BATCHES * CALLS
        keys = session.exec(select(ObservationRow.key)).all()
    assert len(keys) == len(set(keys)) == SENDERS * BATCHES * CALLS
