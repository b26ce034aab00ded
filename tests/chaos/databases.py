"""Servers, databases and indexes that are killed, stopped or removed, and more writers than a server can answer."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from chaos.scenario import POSTGRESQL, SQLITE, Outcome, Place, Scenario
from factories.databases import Postgres
from factories.served_process import ServedProcess, served_process, wait_until

WRITERS = 16
CROWD = 120
ROUNDS = 3
VERSIONS = "/v1/prompts/greet/versions"
GREET = "/v1/prompts/greet"


@dataclass
class Load:
    """Writers of numbered versions, which count what they get."""

    tried: int = 0
    acknowledged: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, client: httpx.Client, text: str) -> None:
        """Register a version, and count the answer."""
        began = time.monotonic()
        try:
            response = client.post(VERSIONS, json={"type": "text", "template": text, "labels": ["production"]})
            status, number = response.status_code, response.json().get("version")
        except httpx.TransportError:
            status, number = 0, None
        with self._lock:
            self.tried += 1
            self.statuses[status] += 1
            self.longest = max(self.longest, time.monotonic() - began)
            if status in (200, 201):
                self.acknowledged[number] = text

    def lost(self, client: httpx.Client) -> int:
        """Count the acknowledged versions that are not there as they were sent, and the numbers that are missing."""
        newest: int = client.get(GREET, params={"label": "latest"}).json()["version"]
        stored: dict[int, str] = {}
        for number in range(1, newest + 1):
            response = client.get(f"{VERSIONS}/{number}")
            if response.status_code == 200:
                stored[number] = response.json()["template"]
        wrong = sum(stored.get(number) != text for number, text in self.acknowledged.items())
        return wrong + newest - len(stored)

    def outcome(self, lost: int) -> Outcome:
        """Return what became of the writes."""
        responses = _named(self.statuses)
        responses[f"slowest {self.longest:.1f} s"] = 1
        outcome = Outcome(self.tried, len(self.acknowledged), lost, responses)
        outcome.expect(not self.statuses[500], "nothing is answered with 500")
        return outcome


def _named(statuses: Counter[int]) -> Counter[str]:
    return Counter({str(status or "broken"): count for status, count in statuses.items()})


def overload_while(server: ServedProcess, load: Load, prefix: str, harm: Callable[[], None], writers: int = WRITERS) -> None:
    """Write with all writers while harm is done; stop afterwards."""
    ended = threading.Event()

    def write(writer: int) -> None:
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
            number = 0
            while not ended.is_set():
                number += 1
                load.write(client, f"{prefix} {writer} {number}")

    with ThreadPoolExecutor(writers) as pool:
        in_flight = [pool.submit(write, writer) for writer in range(writers)]
        try:
            harm()
        finally:
            ended.set()
        for pending in in_flight:
            pending.result()


def kill_the_server(place: Place) -> Outcome:
    """Kill the server in the middle of its writes, some times."""
    load = Load()
    for turn in range(ROUNDS):
        with served_process(place.folder, name=f"turn{turn}", **place.variables) as server:
            before = len(load.acknowledged)

            def harm(server: ServedProcess = server, before: int = before) -> None:
                wait_until(lambda: len(load.acknowledged) >= before + 40, 120)
                server.process.kill()

            overload_while(server, load, str(turn), harm)
    with served_process(place.folder, name="after", **place.variables) as server:
        lost = load.lost(server.client)
    return load.outcome(lost)


def lose_chroma(place: Place) -> Outcome:
    """Remove the Chroma folder between two runs of the server; every query must be answered from all documents."""
    texts = {f"d{number}": f"Fact {number} about cards and fees." for number in range(8)}
    statuses: Counter[int] = Counter()
    wrong = tried = 0

    def query(server: ServedProcess) -> str:
        nonlocal wrong, tried
        response = server.client.post("/v1/collections/facts/query", json={"query": "cards", "k": 20})
        tried += 1
        statuses[response.status_code] += 1
        wrong += {passage["document"] for passage in response.json().get("passages", ())} != set(texts)
        return str(response.json().get("searched"))

    with served_process(place.folder, name="before", **place.variables) as server:
        server.client.put("/v1/collections/facts", json={})
        body = {"documents": [{"id": name, "text": text} for name, text in texts.items()]}
        server.client.post("/v1/collections/facts/documents", json=body)
        query(server)
    shutil.rmtree(place.folder / "data" / "chroma")
    with served_process(place.folder, name="after", **place.variables) as server:
        wait_until(lambda: query(server) == "index")
    outcome = Outcome(tried, statuses[200], wrong, _named(statuses))
    outcome.expect(statuses[200] == tried, "every query is answered with 200")
    return outcome


def stop_postgresql(place: Place) -> Outcome:
    """Stop PostgreSQL (SIGSTOP) under load for some seconds, and continue it."""
    return _interrupt_postgresql(place, Postgres.stand_still, 8)


def kill_postgresql(place: Place) -> Outcome:
    """Kill PostgreSQL under load, and start it again."""
    return _interrupt_postgresql(place, Postgres.kill, 4)


def _interrupt_postgresql(place: Place, interrupt: Callable[[Postgres], None], seconds: float) -> Outcome:
    """Return what was lost while PostgreSQL was interrupted for some seconds between two times in which it works."""
    assert place.postgres is not None
    postgres = place.postgres

    def harm() -> None:
        time.sleep(2)
        interrupt(postgres)
        time.sleep(seconds)
        postgres.start_again()
        time.sleep(4)

    return _under_load(place, harm)


def _under_load(place: Place, harm: Callable[[], None], writers: int = WRITERS) -> Outcome:
    load = Load()
    with served_process(place.folder, **place.variables) as server:
        load.write(server.client, "first")
        overload_while(server, load, "w", harm, writers)
        wait_until(lambda: server.client.get("/readyz").status_code == 200)
        lost = load.lost(server.client)
    return load.outcome(lost)


def overload(place: Place) -> Outcome:
    """Write with more clients than the server has threads and connections."""

    def harm() -> None:
        time.sleep(10)

    return _under_load(place, harm, CROWD)


SCENARIOS = (
    Scenario(f"server killed (kill -9), {ROUNDS} times", kill_the_server, (SQLITE, POSTGRESQL)),
    Scenario("Chroma's folder removed", lose_chroma, (SQLITE, POSTGRESQL)),
    Scenario(f"{CROWD} writers for 10 s", overload, (SQLITE, POSTGRESQL)),
    Scenario("PostgreSQL stands still (SIGSTOP) for 8 s", stop_postgresql, (POSTGRESQL,)),
    Scenario("PostgreSQL killed, started after 4 s", kill_postgresql, (POSTGRESQL,)),
)
