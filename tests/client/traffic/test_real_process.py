"""What is reported against a real server that is killed and started again, and at the end of real programs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.processes import free_port
from factories.served_process import PROMPTUARY, ServedProcess, served_process, wait_until
from promptuary import Promptuary

CALLS = 10_000
CONTENT = {"type": "text", "template": "Hi {{name}}", "labels": ["production"]}
PROGRAM = """
import os, sys, multiprocessing
from promptuary import Promptuary
client = Promptuary(follow=False, disk=False, exit_deadline=float(sys.argv[2]))
def report():
    for number in range(20):
        client.observe("greeting", output="x", id=f"{sys.argv[1]}-{os.getpid()}-{number}")
if __name__ == "__main__":
    report()
    if sys.argv[1] == "fork":
        children = [multiprocessing.get_context("fork").Process(target=report) for _ in range(2)]
        for child in children: child.start()
        for child in children: child.join()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[ServedProcess]:
    with served_process(folder) as server:
        assert server.client.post("/v1/prompts/greeting/versions", json=CONTENT).status_code == 201
        yield server


def _counted(folder: Path) -> int:
    """Return how many calls the service has counted."""
    from sqlmodel import func, select

    from promptuary.core.database import Database
    from promptuary.traffic.tables import HourRow

    database = Database(f"sqlite:///{folder / 'data' / 'promptuary.db'}")
    with database.read() as session:
        count = session.exec(select(func.sum(HourRow.calls))).one()
    database.dispose()
    return int(count or 0)


def _run(program: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def test_no_call_is_lost_or_counted_twice_while_the_server_is_killed(tmp_path: Path) -> None:
    with served_process(tmp_path) as service:
        assert service.client.post("/v1/prompts/greeting/versions", json=CONTENT).status_code == 201
        command = [*PROMPTUARY, "serve", "--port", str(service.port)]
        process, quiet = service.process, subprocess.DEVNULL
        client = Promptuary(service.url, service.key, follow=False, disk=False, exit_deadline=60)
        prompt = client.get("greeting")
        try:
            for number in range(CALLS):
                client.observe(prompt, variables={"name": "Ann"}, output="Hi", latency_ms=5, id=f"call-{number}")
                if number in (2_000, 5_000, 8_000):  # in the middle of what is being sent
                    sent = client.traffic.sent
                    wait_until(lambda sent=sent: client.traffic.sent > sent)
                    process.kill()
                    process.wait()
                    process = subprocess.Popen(command, env=service.environment, stdout=quiet, stderr=quiet)
            assert client.flush(300)
            counts = client.traffic
            assert (counts.queued, counts.sent + sum(counts.dropped.values())) == (0, CALLS)
            assert _counted(tmp_path) == counts.sent > CALLS / 2
        finally:
            client.close()
            process.kill()
            process.wait()


@pytest.mark.parametrize(("mode", "calls"), [("plain", 20), ("fork", 60)])
def test_the_end_of_a_program_sends_what_is_queued(folder: Path, service: ServedProcess, mode: str, calls: int) -> None:
    before = _counted(folder)
    ran = _run(PROGRAM, mode, "60", PROMPTUARY_URL=service.url, PROMPTUARY_API_KEY=service.key)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert _counted(folder) - before == calls


def test_a_dead_server_delays_the_end_by_the_deadline_at_most() -> None:
    start = time.monotonic()
    ran = _run(PROGRAM, "plain", "0.2", PROMPTUARY_URL=f"http://127.0.0.1:{free_port()}")
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr
    assert time.monotonic() - start < 30  # seconds; a batch would be tried for ten minutes


def test_feedback_is_added_and_listed_by_the_command(service: ServedProcess) -> None:
    added = service.command("feedback", "add", "greeting", "0.25", "--comment", "too short", "--json")
    assert added.returncode == 0, added.stderr
    assert '"version": 1' in added.stdout
    listed = service.command("feedback", "list", "greeting", "--below", "0.5")
    assert "too short" in listed.stdout
    refused = service.command("feedback", "add", "greeting", "7")
    assert (refused.returncode, "from 0 to 1" in refused.stderr) == (64, True)
