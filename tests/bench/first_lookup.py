"""How long from the start of the API's process to its first answered lookup, and in how much memory.

Beside it, in turn, the same for a bare ASGI app that answers the same bytes on the same server: the least that any service on
it can take.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def measured(
    command: Sequence[str], url: str, headers: dict[str, str], environment: dict[str, str]
) -> tuple[float, float, bytes]:
    """Start a process, ask until it answers, stop it; gives seconds, MB resident after the answer, and the answer."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
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


def measured_in_turn() -> dict[str, dict[str, Any]]:
    """Measure both in turn; gives sorted seconds, their median, and the median of MB resident, by name."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PROMPTUARY_DATA_DIR": folder}
        environment.pop("PROMPTUARY_URL", None)
        promptuary = [sys.executable, "-m", "promptuary.cli.main"]
        made = [*promptuary, "key", "create", "bench", "--role", "author"]
        key = subprocess.run(made, capture_output=True, text=True, check=True, env=environment)
        file = Path(folder) / "answer.yaml"
        file.write_text(json.dumps(PROMPT))
        pushed = [*promptuary, "push", str(file), "--name", "bench.answer"]
        subprocess.run(pushed, capture_output=True, check=True, env=environment)
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
    return {
        name: {
            "seconds": sorted(seconds for seconds, _ in found),
            "median": statistics.median(seconds for seconds, _ in found),
            "megabytes": statistics.median(megabytes for _, megabytes in found),
        }
        for name, found in rows.items()
    }


def main() -> None:
    """Measure, and print."""
    found = measured_in_turn()
    print(f"start to first lookup, {ROUNDS} rounds")
    for name, one in found.items():
        span = f"{one['median']:.2f} ({one['seconds'][0]:.2f}–{one['seconds'][-1]:.2f})"
        print(f"{name:18} {span:>22} s {one['megabytes']:8.0f} MB resident")


if __name__ == "__main__":
    main()
