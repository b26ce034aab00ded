"""Slow, idle and hostile connections, and more requests than a server can answer."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from chaos.scenario import SQLITE, Outcome, Place, Scenario
from doubles.raw_http import HOST, connect, read_to_end, send
from factories.served_process import ServedProcess, served_process

SECONDS = 8.0
PATH = "/v1/prompts/p"
CONNECTIONS, DESCRIPTORS = 300, 256
PIECE = b"a" * 65_536
WRITERS = 8


@contextmanager
def _server(folder: Path, *, few_descriptors: bool = False) -> Iterator[ServedProcess]:
    def limit() -> None:
        if few_descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    with served_process(folder, prepare=limit) as served:
        body = {"type": "text", "template": "x", "labels": ["production"]}
        httpx.post(f"{served.url}{PATH}/versions", json=body, headers=served.headers, timeout=60).raise_for_status()
        yield served


def _look_up(served: ServedProcess, outcome: Outcome, until: threading.Event | float) -> list[float]:
    """Request a lookup on one connection until the time or the event; count the answers, and return the seconds of each."""
    seconds: list[float] = []
    with httpx.Client(base_url=served.url, headers=served.headers, timeout=60) as client:
        while not until.is_set() if isinstance(until, threading.Event) else time.monotonic() < until:
            began = time.monotonic()
            outcome.tried += 1
            try:
                status = client.get(PATH).status_code
            except httpx.HTTPError as error:
                outcome.responses[type(error).__name__] += 1
            else:
                outcome.responses[f"lookup {status}"] += 1
                outcome.acknowledged += status == 200
            seconds.append(time.monotonic() - began)
            time.sleep(0.005)
    return seconds


def _expect_lookups(outcome: Outcome, seconds: list[float]) -> None:
    outcome.expect(outcome.acknowledged == outcome.tried, "every lookup is answered with 200")
    worst = max(seconds, default=0.0)
    outcome.responses[f"slowest lookup {worst * 1000:.0f} ms"] = 1
    outcome.expect(worst < 5, "no lookup takes five seconds")


def idle_connections(place: Place) -> Outcome:
    """Open more connections than the process has file descriptors, and send nothing."""
    outcome = Outcome()
    with _server(place.folder, few_descriptors=True) as served, ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(connect(served.port)).settimeout(1)
        seconds = _look_up_on_present(served, outcome)
        _expect_lookups(outcome, seconds)
    return outcome


def _look_up_on_present(served: ServedProcess, outcome: Outcome) -> list[float]:
    deadline = time.monotonic() + 30
    while True:  # the first connection replaces an idle one; it may be refused until one has waited for a second
        try:
            if httpx.get(f"{served.url}{PATH}", headers=served.headers, timeout=60).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        outcome.responses["new connection refused"] += 1
        if time.monotonic() > deadline:
            outcome.expect(False, "a new client is answered within 30 seconds")
            break
        time.sleep(0.1)
    return _look_up(served, outcome, time.monotonic() + SECONDS)


def slow_requests(place: Place) -> Outcome:
    """Send headers and bodies byte by byte on 50 connections, until the server closes them."""
    outcome = Outcome()
    with _server(place.folder) as served:
        done = threading.Event()

        def drip(number: int) -> None:
            with connect(served.port) as connection:
                key = b"Authorization: Bearer " + served.key.encode() + b"\r\nContent-Type: application/json\r\n"
                head = b"POST /v1/prompts/p/versions HTTP/1.1\r\n" + HOST + key + b"Content-Length: 100000\r\n\r\n"
                send(connection, [head if number % 2 else head[:40]])
                while not done.is_set() and send(connection, [b"x"]):
                    done.wait(0.1)

        threads = [threading.Thread(target=drip, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        seconds = _look_up(served, outcome, time.monotonic() + SECONDS)
        done.set()
        for thread in threads:
            thread.join()
        _expect_lookups(outcome, seconds)
    return outcome


def hostile_requests(place: Place) -> Outcome:
    """Send headers of 60 MB, bytes that are no HTTP, and wrong keys, one after another."""
    outcome = Outcome()
    with _server(place.folder) as served:
        done = threading.Event()

        def attack() -> None:
            start = b"GET /healthz HTTP/1.1\r\n" + HOST
            attacks = ([start + b"X-Long: ", *[PIECE] * 960], [b"\x16\x03\x01 no HTTP\r\n\r\n"], [start + b"X: y\r\n" * 5000])
            while not done.is_set():
                for pieces in attacks:
                    with connect(served.port) as connection:
                        send(connection, pieces)
                        status = read_to_end(connection)[9:12].decode("latin-1") or "closed"
                        outcome.responses[f"attack {status}"] += 1
                wrong = httpx.get(f"{served.url}{PATH}", headers={"Authorization": "Bearer wrong"}, timeout=60)
                outcome.responses[f"wrong key {wrong.status_code}"] += 1

        thread = threading.Thread(target=attack)
        thread.start()
        seconds = _look_up(served, outcome, time.monotonic() + SECONDS)
        done.set()
        thread.join()
        _expect_lookups(outcome, seconds)
        outcome.expect(outcome.responses["attack 431"] > 0, "large headers are answered with 431")
    return outcome


def overload(place: Place) -> Outcome:
    """Post bodies of 1 MB from eight clients without a pause, beside lookups; then count what was acknowledged."""
    outcome, acknowledged, lock = Outcome(), set[int](), threading.Lock()
    with _server(place.folder) as served:
        done = threading.Event()

        def write(writer: int) -> None:
            with httpx.Client(base_url=served.url, headers=served.headers, timeout=120) as client:
                number = 0
                while not done.is_set():
                    number += 1
                    config = {f"k{index}": "v" * 900 for index in range(60)}
                    body = {"type": "text", "template": f"{writer} {number} " + "t" * 200_000, "config": config}
                    response = client.post(f"{PATH}/versions", json=body)
                    with lock:
                        outcome.tried += 1
                        outcome.responses[f"write {response.status_code}"] += 1
                        if response.status_code in (200, 201):
                            acknowledged.add(response.json()["version"])

        writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        lookups = Outcome()
        seconds = _look_up(served, lookups, time.monotonic() + SECONDS)
        done.set()
        for writer in writers:
            writer.join()
        _expect_lookups(lookups, seconds)
        outcome.responses += lookups.responses
        outcome.failures += lookups.failures
        with httpx.Client(base_url=served.url, headers=served.headers, timeout=60) as client:
            present = {number for number in acknowledged if client.get(f"{PATH}/versions/{number}").status_code == 200}
        outcome.acknowledged, outcome.lost = len(acknowledged), len(acknowledged - present)
        outcome.tried += lookups.tried
        outcome.acknowledged += lookups.acknowledged
        outcome.expect(not any(" 500" in name for name in outcome.responses), "nothing is answered with 500")
    return outcome


SCENARIOS = (
    Scenario("idle connections beyond the descriptors", idle_connections, (SQLITE,)),
    Scenario("slow headers and bodies", slow_requests, (SQLITE,)),
    Scenario("hostile headers, no HTTP, wrong keys", hostile_requests, (SQLITE,)),
    Scenario("overload by large bodies", overload, (SQLITE,)),
)
