"""`promptuary serve` as a real process, with a key and a log, for tests that stop, kill or starve something."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class ServedProcess:
    """A running server: its address, the operator's key and a client with it, its environment, its process and its log."""

    url: str
    key: str
    client: httpx.Client
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        """What the server has logged."""
        return self.log_file.read_text()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the server's data directory."""
        return subprocess.run([*PROMPTUARY, *arguments], env=self.environment, capture_output=True, text=True, timeout=120)


@contextmanager
def served_process(folder: Path, *, name: str = "server", **variables: str) -> Iterator[ServedProcess]:
    """Start a server on a free port with a data directory in `folder`, and kill it when the block ends."""
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(folder / "data"), **variables}
    command = [*PROMPTUARY, "key", "create", name, "--role", "operator"]
    key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    port = free_port()
    log_file, url = folder / f"{name}.log", f"http://127.0.0.1:{port}"
    with log_file.open("wb") as output:
        process = subprocess.Popen([*PROMPTUARY, "serve", "--port", str(port)], env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: _is_up(url, process))
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=DEADLINE_SECONDS) as client:
            yield ServedProcess(url, key, client, environment, process, log_file)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until a condition is true; fail after the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the deadline has passed"
        time.sleep(0.05)


def _is_up(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the server has ended"
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.TransportError:
        return False
