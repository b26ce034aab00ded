"""Several processes that share a folder of copies: whatever one writes, another that starts without a server has a copy."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from client.fake_registry import TRIAGE
from client.live_server import LiveServer
from client.loopback_server import KEY
from paths import TESTS
from promptuary import Promptuary

WRITE = f"""
import sys
sys.path.insert(0, sys.argv[1])
from promptuary import Promptuary

url, folder, rounds = sys.argv[2], sys.argv[3], int(sys.argv[4])
print("started", flush=True)
for number in range(rounds):
    client = Promptuary(url, "{KEY}", cache_dir=folder, deadline=60, follow=False)
    client.get("support.triage", targeting_key=f"user-{{number}}")
    client.close()
print("ended", flush=True)
"""
RESTARTS = 100


def refuse(request: httpx.Request) -> httpx.Response:
    """Fail as a server that is not there."""
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.process
def test_a_restart_finds_a_copy_whatever_form_others_write(tmp_path: Path) -> None:
    server = LiveServer()
    folder = tmp_path / "copies"
    command = [sys.executable, "-c", WRITE, str(TESTS), server.url, str(folder), "40"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "started\n"
        restarts = 0
        sources: set[tuple[str, bool]] = set()
        while restarts < RESTARTS or any(writer.poll() is None for writer in writers):
            server.move("production", 1 if restarts % 2 else [(1, 50.0), (2, 50.0)])
            if not any(folder.rglob("*.json")):
                continue  # nobody has received an answer yet
            restarts += 1
            with Promptuary(server.url, KEY, cache_dir=folder, deadline=60, transport=httpx.MockTransport(refuse)) as client:
                prompt = client.get(TRIAGE, targeting_key=f"user-{restarts}")
            sources.add((prompt.source, prompt.render(ticket="x") in ("1: x", "2: x")))
        assert sources == {("disk", True)}
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
        server.kill()
    assert list(folder.rglob("*.tmp")) == []
    (copy,) = folder.rglob("*.json")
    assert json.loads(copy.read_text())["format"] == 2
