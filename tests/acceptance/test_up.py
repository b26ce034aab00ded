"""`promptuary up`: five processes that work as one, and end together."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.model]
PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
STARTS_WITHIN, STOPS_WITHIN, DONE_WITHIN = 120.0, 20.0, 60.0
SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
}


def free_ports(number: int) -> list[int]:
    """Return different ports that are free now."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Up:
    """A running `promptuary up`, and commands beside it on the same data directory."""

    def __init__(self, folder: Path) -> None:
        self.api, self.ui, self.mlflow = free_ports(3)
        self.data = folder / "data"
        self.out = folder / "out"
        self.environment = {
            **os.environ,
            "PROMPTUARY_DATA_DIR": str(self.data),
            "PROMPTUARY_PORT": str(self.api),
            "PROMPTUARY_UI_PORT": str(self.ui),
            "PROMPTUARY_MLFLOW_PORT": str(self.mlflow),
        }
        with self.out.open("wb") as out:
            self.process = subprocess.Popen([*PROMPTUARY, "up"], env=self.environment, stdout=out, stderr=out)

    def output(self) -> str:
        return self.out.read_text()

    def logs(self) -> str:
        """Return the end of every part's log, for a test that fails."""
        return "\n".join(f"== {log.name}\n{log.read_text()[-1000:]}" for log in (self.data / "logs").glob("*.log"))

    def wait_until(self, claim: Callable[[], Any], seconds: float) -> Any:
        """Wait until the claim returns something true, while the process runs; return that."""
        end = time.monotonic() + seconds
        while not (answer := claim()):
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < end, f"{self.output()}\n{self.logs()}"
            time.sleep(0.1)
        return answer

    def run(self, *words: str) -> Any:
        """Run a command on the same data directory, in a process of its own, and return its JSON."""
        done = subprocess.run(
            [*PROMPTUARY, *words, "--json"], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sessions(self) -> list[int]:
        """Return the sessions of the processes that it started; each part has a separate session."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


def alive_in(sessions: list[int]) -> list[str]:
    """Return the commands that run in the sessions."""
    commands = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(") ")[2].split()[:4]
            if int(session) in sessions and state != "Z":
                commands.append((stat.parent / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return commands


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Everything, on free ports and a fresh data directory."""
    started = Up(tmp_path)
    try:
        started.wait_until(lambda: "\ndata " in started.output(), STARTS_WITHIN)
        yield started
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(STOPS_WITHIN)


def test_everything_runs_works_together_and_is_gone_together(up: Up) -> None:
    parts = up.sessions()
    assert len(parts) == 5
    api = f"http://127.0.0.1:{up.api}"
    for url in (f"{api}/readyz", f"http://127.0.0.1:{up.ui}/_stcore/health", f"http://127.0.0.1:{up.mlflow}/health"):
        assert httpx.get(url, timeout=10).status_code == 200
        assert url.rpartition("/")[0].removesuffix("/_stcore") in up.output()

    headers = {"Authorization": f"Bearer {up.run('key', 'create', 'app', '--role', 'author')['key']}"}
    with httpx.Client(base_url=f"{api}/v1", headers=headers, timeout=30) as client:
        body = {"type": "text", "template": "{{text}}", "labels": ["production"]}
        assert client.post("/prompts/word/versions", json=body).status_code == 201
        assert client.get("/prompts/word").json()["template"] == "{{text}}"
        a_query_beside_it_goes_through_its_chroma(up)
        a_prompt_is_made_findable_by_the_worker(up, client)
        a_run_that_is_submitted_is_done_and_tracked(up, client)

    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(STOPS_WITHIN) == 0
    assert alive_in(parts) == []
    assert up.run("prompts")[0]["name"] == "word"


def a_query_beside_it_goes_through_its_chroma(up: Up) -> None:
    document = up.data.parent / "refunds.md"
    document.write_text("# Refunds\n\nA refund reaches the card within five working days.")
    assert up.run("context", "add", "support", str(document)) == {"added": 1, "unchanged": 0, "chunks": 1}
    (passage,) = up.run("context", "query", "support", "When do I get my money back?", "-k", "1")["passages"]
    assert passage["document"] == "refunds"

    assert [count for name, count in held_by_chroma(up).items() if not name.startswith("promptuary-prompts-")] == [1]
    assert re.search(r"\bquery\b", (up.data / "logs" / "chroma.log").read_text())


def a_prompt_is_made_findable_by_the_worker(up: Up, client: httpx.Client) -> None:
    def prompts() -> Any:
        return [count for name, count in held_by_chroma(up).items() if name.startswith("promptuary-prompts-")]

    up.wait_until(lambda: prompts() == [1], DONE_WITHIN)
    matches = client.get("/search", params={"q": "a word"}).json()
    assert ([item["name"] for item in matches["items"]], matches["behind"]) == (["word"], 0)


def held_by_chroma(up: Up) -> dict[str, int]:
    chroma = (up.data / "chroma" / "served-at").read_text()
    collections = f"{chroma}/api/v2/tenants/default_tenant/databases/default_database/collections"
    return {
        collection["name"]: httpx.get(f"{collections}/{collection['id']}/count").json()
        for collection in httpx.get(collections).json()
    }


def a_run_that_is_submitted_is_done_and_tracked(up: Up, client: httpx.Client) -> None:
    cases = [{"id": f"c{number}", "vars": {"text": text}, "expected": "yes"} for number, text in enumerate(("yes", "no"))]
    client.post("/datasets/words/versions", json={"cases": cases}).raise_for_status()
    client.put("/suites/words", json=SUITE).raise_for_status()
    response = client.post("/runs", json={"suite": "words"})
    assert response.status_code == 202

    def tracked() -> Any:
        current = client.get(f"/runs/{response.json()['id']}").json()
        return current if current["tracking_id"] else None

    run = up.wait_until(tracked, DONE_WITHIN)
    assert (run["state"], run["verdict"], run["done"]) == ("finished", "no gate", 2)
    query = {"run_id": run["tracking_id"]}
    tracked = httpx.get(f"http://127.0.0.1:{up.mlflow}/api/2.0/mlflow/runs/get", params=query, timeout=30).json()
    assert {"key": "promptuary.run", "value": run["id"]} in tracked["run"]["data"]["tags"]
