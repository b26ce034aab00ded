"""How long from the start of the API's process to its first answered lookup, and in how much memory; `make bench` runs it.

Beside it, in turn, the same for a bare ASGI app that answers the same bytes on the same server: the least that any service on
it can take. Prints a table, and writes the figures as JSON where a path is given.
"""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measured(command: Sequence[str], url: str, headers: dict[str, str]) -> tuple[float, float, bytes]:
    """Start a process, ask until it answers, stop it; gives seconds, MB resident after the answer, and the answer."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(headers=headers, timeout=5) as client:
            while True:
                assert process.poll() is None, f"{command} ended"
                try:
                    answer = client.get(url)
                    break
                except httpx.TransportError:
                    time.sleep(0.005)
        seconds = time.perf_counter() - started
        assert answer.status_code == 200, answer.text
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000
        return seconds, resident, answer.content
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Measure in turn, and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROMPTUARY_DATA_DIR"] = folder
        os.environ.pop("PROMPTUARY_URL", None)
        promptuary = [sys.executable, "-m", "promptuary.cli.main"]
        key = subprocess.run(
            [*promptuary, "key", "create", "bench", "--role", "author"], capture_output=True, text=True, check=True
        )
        file = Path(folder) / "answer.yaml"
        file.write_text(json.dumps(PROMPT))
        subprocess.run([*promptuary, "push", str(file), "--name", "bench.answer"], capture_output=True, check=True)
        headers = {"Authorization": f"Bearer {key.stdout.strip()}"}
        rows: dict[str, list[tuple[float, float]]] = {"promptuary serve": [], "bare ASGI app": []}
        for _ in range(ROUNDS):
            port = free_port()
            url = f"http://127.0.0.1:{port}/v1/prompts/bench.answer"
            seconds, resident, body = measured([*promptuary, "serve", "--port", str(port)], url, headers)
            rows["promptuary serve"].append((seconds, resident))
            port = free_port()
            bare = [sys.executable, "-c", BARE, str(port), body.decode()]
            rows["bare ASGI app"].append(measured(bare, f"http://127.0.0.1:{port}/", {})[:2])
    report(rows)


def report(rows: dict[str, list[tuple[float, float]]]) -> None:
    """Print the medians with the least and the most, and the ratio to the bare app."""
    figures: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"}
    bare = statistics.median(seconds for seconds, _ in rows["bare ASGI app"])
    print(f"start to first lookup, {ROUNDS} rounds, {figures['machine']}")
    print(f"{'':18} {'seconds':>22} {'ratio':>6} {'MB resident':>12}")
    for name, found in rows.items():
        seconds = sorted(one for one, _ in found)
        middle, memory = statistics.median(seconds), statistics.median(one for _, one in found)
        span = f"{middle:.2f} ({seconds[0]:.2f}–{seconds[-1]:.2f})"
        print(f"{name:18} {span:>22} {middle / bare:6.1f} {memory:12.0f}")
        figures[name] = {"seconds": seconds, "median": middle, "megabytes": memory}
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
