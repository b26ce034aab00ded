"""`promptuary serve` as a process of its own, for tests of what only a real server shows."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from doubles.eventually import eventually

PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
STOP_SECONDS = 30


@dataclass(frozen=True)
class ServedProcess:
    """A server that answers."""

    url: str
    port: int
    key: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        """The key, as a header."""
        return {"Authorization": f"Bearer {self.key}"}


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def create_key(data: Path, role: str, name: str = "app") -> str:
    """Create a key in a data directory."""
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(data)}
    command = [*PROMPTUARY, "key", "create", name, "--role", role]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def serve_process(
    folder: Path, *, role: str = "author", prepare: Callable[[], None] | None = None, **environment: str
) -> Iterator[ServedProcess]:
    """Serve a data directory in `folder` until the block ends.

    Args:
        folder: an empty folder, or one of an earlier server.
        role: of the key that is created.
        prepare: runs in the process before the program.
        environment: variables for the server.
    """
    data, port, log = folder / "data", free_port(), folder / "serve.log"
    key = create_key(data, role)
    variables = {**os.environ, "PROMPTUARY_DATA_DIR": str(data), **environment}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*PROMPTUARY, "serve", "--port", str(port)], env=variables, stdout=output, stderr=output, preexec_fn=prepare
        )
    served = ServedProcess(f"http://127.0.0.1:{port}", port, key, process, log)
    try:
        assert eventually(lambda: _is_ready(served)), log.read_text()
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(served: ServedProcess) -> bool:
    assert served.process.poll() is None, served.log.read_text()
    try:
        return httpx.get(f"{served.url}/readyz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
