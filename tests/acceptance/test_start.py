"""The start of a served process: signals, ports and errors while the app is being built."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from doubles.eventually import eventually

pytestmark = pytest.mark.acceptance
PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
STOP_SECONDS = 60
Serve = Callable[..., "Served"]


class Served:
    """A process of `promptuary serve --port 0`, and its log."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as output:
            command = [*PROMPTUARY, "serve", "--port", "0"]
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def url(self) -> str:
        """Return the address, as soon as the log has it."""
        assert eventually(lambda: "listening on http" in self.log or self.process.poll() is not None)
        (url,) = re.findall(r"listening on (http://127\.0\.0\.1:[1-9][0-9]*)\"", self.log)
        return str(url)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a process with further environment variables; kill it at the end of the test."""
    started: list[Served] = []

    def start(**environment: str) -> Served:
        served = Served(tmp_path / "log", {**os.environ, "PROMPTUARY_DATA_DIR": str(tmp_path / "data"), **environment})
        started.append(served)
        return served

    yield start
    for served in started:
        served.process.kill()
        served.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_ends_the_process_in_order(serve: Serve, number: signal.Signals) -> None:
    served = serve()
    served.url()
    served.process.send_signal(number)
    assert served.process.wait(STOP_SECONDS) in (0, -number)
    assert "Application shutdown complete." in served.log
    assert "Traceback" not in served.log


def test_a_process_becomes_ready_and_answers_every_request(serve: Serve) -> None:
    served = serve()
    with httpx.Client(base_url=served.url(), timeout=STOP_SECONDS) as client:
        assert eventually(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/openapi.json").status_code == 200


def test_an_app_that_cannot_be_built_ends_the_process_with_its_message(serve: Serve, tmp_path: Path) -> None:
    metadata = tmp_path / "plugins" / "loud-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[promptuary.scorers]\nx = absent:SHOUTS\n")
    served = serve(PYTHONPATH=os.pathsep.join([str(tmp_path / "plugins"), os.environ.get("PYTHONPATH", "")]))
    assert served.process.wait(STOP_SECONDS) == 64
    assert "the plug-in 'x' of the package 'loud' does not load" in served.log.splitlines()[-1]
    assert served.log.splitlines()[-1].startswith("promptuary: ")
    assert "Traceback" not in served.log


@pytest.mark.parametrize(
    ("name", "value"), [("PROMPTUARY_LEASE_SECONDS", "soon"), ("PROMPTUARY_DATABASE_URL", "mysql://127.0.0.1/prompts")]
)
def test_a_setting_that_cannot_be_used_ends_the_process_before_it_listens(serve: Serve, name: str, value: str) -> None:
    served = serve(**{name: value})
    assert served.process.wait(STOP_SECONDS) == 64
    (line,) = served.log.splitlines()
    assert line.startswith("promptuary: ")
    assert name in line
