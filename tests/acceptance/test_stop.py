"""A served process that is asked to stop lets those go who follow its stream, and does not wait for them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.acceptance
PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
WAIT = 60.0


def test_a_process_with_followers_stops_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(tmp_path / "data")}
    command = [*PROMPTUARY, "key", "create", "app", "--role", "reader"]
    key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, url = tmp_path / "log", f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen([*PROMPTUARY, "serve", "--port", str(port)], env=environment, stdout=output, stderr=output)
    try:
        end = time.monotonic() + WAIT
        while True:
            try:
                httpx.get(f"{url}/readyz")
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", f"{url}/v1/stream", headers=headers, timeout=WAIT) as answer:
            lines = answer.iter_lines()
            while next(lines) != "event: ready":
                pass
            process.terminate()
            for _ in lines:  # to the end, which comes in order: a broken connection would raise
                pass
        assert process.wait(WAIT) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
    assert "Application shutdown complete." in log.read_text()
    assert "timeout graceful shutdown exceeded" not in log.read_text()
