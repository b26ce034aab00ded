"""`promptuary serve` as a real process, with a key and a log, for tests of what only a real server shows."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from factories.processes import free_port

PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class ServedProcess:
    """A running server: its port, the operator's key and a client with it, its environment, its process and its log."""

    port: int
    key: str
    client: httpx.Client
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def url(self) -> str:
        """The server's address."""
        return _url(self.port)

    @property
    def headers(self) -> dict[str, str]:
        """The key, as a header."""
        return _headers(self.key)

    @property
    def log(self) -> str:
        """What the server has logged."""
        return self.log_file.read_text()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the server's data directory."""
        return subprocess.run([*PROMPTUARY, *arguments], env=self.environment, capture_output=True, text=True, timeout=120)


@contextmanager
def served_process(
    folder: Path, *, name: str = "server", prepare: Callable[[], None] | None = None, **variables: str
) -> Iterator[ServedProcess]:
    """Start a server on a free port with a data directory in `folder`, and kill it when the block ends.

    Args:
        folder: an empty folder, or one of an earlier server.
        name: of the key and of the log, which differ for each server in the folder.
        prepare: runs in the process before the program.
        variables: environment variables of the server.
    """
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(folder / "data"), **variables}
    command = [*PROMPTUARY, "key", "create", name, "--role", "operator"]
    key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    port, log_file = free_port(), folder / f"{name}.log"
    with log_file.open("wb") as output:
        process = subprocess.Popen(
            [*PROMPTUARY, "serve", "--port", str(port)], env=environment, stdout=output, stderr=output, preexec_fn=prepare
        )
    try:
        with httpx.Client(base_url=_url(port), headers=_headers(key), timeout=DEADLINE_SECONDS) as client:
            server = ServedProcess(port, key, client, environment, process, log_file)
            wait_until(lambda: _is_ready(server))
            yield server
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until a condition is true; fail after the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the deadline has passed"
        time.sleep(0.05)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _is_ready(server: ServedProcess) -> bool:
    assert server.process.poll() is None, server.log
    try:
        return httpx.get(f"{server.url}/readyz", timeout=10).is_success
    except httpx.TransportError:
        return False
