"""Real processes on free loopback ports."""

import socket
import subprocess
import time

import httpx

STARTS_WITHIN = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until something answers with 200."""
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        assert process is None or process.poll() is None, f"the process behind {url} ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer within {STARTS_WITHIN:g} s")
