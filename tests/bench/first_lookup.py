"""The time from the start of the API's process to its first answered lookup, and the memory that it needs.

Beside it, in turn, the same for a bare ASGI app that sends the same bytes on the same server: the minimum for any service on
it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.serving import free_port

ROUNDS = 7
PROMPT = {"type": "chat", "template": [{"role": "user", "content": "Answer: {{question}}"}], "labels": ["production"]}
BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": BODY})
BODY = sys.argv[2].encode()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, lifespan="off")
"""


@dataclass(frozen=True)
class Start:
    """The starts of one server: sorted seconds, and the median of MB resident."""

    what: str
    seconds: Sequence[float]
    megabytes: float

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def measured(
    command: Sequence[str], url: str, headers: dict[str, str], environment: dict[str, str]
) -> tuple[float, float, bytes]:
    """Start a process, send requests until it responds, stop it; return seconds, MB resident then, and the response's body."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        with httpx.Client(headers=headers, timeout=5) as client:
            while True:
                assert process.poll() is None, f"{command} ended"
                try:
                    response = client.get(url)
                    break
                except httpx.TransportError:
                    time.sleep(0.005)
        seconds = time.perf_counter() - started
        assert response.status_code == 200, response.text
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000
        return seconds, resident, response.content
    finally:
        process.terminate()
        process.wait(20)


def measured_in_turn() -> list[Start]:
    """Measure both servers in turn."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PROMPTUARY_DATA_DIR": folder}
        environment.pop("PROMPTUARY_URL", None)
        promptuary = [sys.executable, "-m", "promptuary.cli.main"]
        create_key = [*promptuary, "key", "create", "bench", "--role", "author"]
        key = subprocess.run(create_key, capture_output=True, text=True, check=True, env=environment)
        file = Path(folder) / "answer.yaml"
        file.write_text(json.dumps(PROMPT))
        push = [*promptuary, "push", str(file), "--name", "bench.answer"]
        subprocess.run(push, capture_output=True, check=True, env=environment)
        headers = {"Authorization": f"Bearer {key.stdout.strip()}"}
        rows: dict[str, list[tuple[float, float]]] = {"promptuary serve": [], "bare ASGI app": []}
        for _ in range(ROUNDS):
            port = free_port()
            url = f"http://127.0.0.1:{port}/v1/prompts/bench.answer"
            serve = [*promptuary, "serve", "--port", str(port)]
            seconds, resident, body = measured(serve, url, headers, environment)
            rows["promptuary serve"].append((seconds, resident))
            port = free_port()
            bare = [sys.executable, "-c", BARE, str(port), body.decode()]
            rows["bare ASGI app"].append(measured(bare, f"http://127.0.0.1:{port}/", {}, environment)[:2])
    return [
        Start(name, sorted(seconds for seconds, _ in starts), statistics.median(megabytes for _, megabytes in starts))
        for name, starts in rows.items()
    ]


def main() -> None:
    """Measure both servers and print the figures."""
    print(f"start to first lookup, {ROUNDS} rounds")
    for start in measured_in_turn():
        span = f"{start.median:.2f} ({start.seconds[0]:.2f}–{start.seconds[-1]:.2f})"
        print(f"{start.what:18} {span:>22} s {start.megabytes:8.0f} MB resident")


if __name__ == "__main__":
    main()
