"""The process models in which applications run: stopped between calls, forked by a server, in a running event loop."""

import ast
import asyncio
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import pytest

from client import worker
from client.live_server import LiveServer, wait_until
from client.loopback_server import KEY
from paths import TESTS
from promptuary import AsyncPromptuary, Promptuary

pytestmark = pytest.mark.process

TRIAGE = "support.triage"
FUNCTION = f"""
import sys
sys.path.insert(0, sys.argv[1])
from promptuary import Promptuary

client = Promptuary(sys.argv[2], "{KEY}", cache_dir=sys.argv[3], follow=False, deadline=20)
for line in sys.stdin:
    prompt = client.get("support.triage", max_age=float(line))
    print(prompt.source, prompt.version, prompt.stale, flush=True)
"""
APPLICATION = """
import os, sys
from promptuary import Promptuary

client = Promptuary(cache_dir=os.environ["COPIES"], deadline=20, ttl=3600)
at_import = client.get("support.triage")


def app(environ, start_response):
    prompt = client.get("support.triage")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {prompt.version} {client.following}".encode()]
"""


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """A server whose labels move."""
    server = LiveServer()
    yield server
    server.kill()


class Function:
    """A process that is stopped between its calls, as AWS Lambda freezes it."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        command = [sys.executable, "-c", FUNCTION, str(TESTS), server.url, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, max_age: float) -> str:
        """Return the answer of one call, for which the process runs; then stop it again."""
        self.process.send_signal(signal.SIGCONT)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{max_age}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        self.process.send_signal(signal.SIGSTOP)
        return answer


def test_a_function_that_is_frozen_between_calls_answers_with_what_is_current(server: LiveServer, tmp_path: Path) -> None:
    function = Function(server, tmp_path)
    try:
        assert function.call(max_age=3600) == "server 1 False"
        server.move("production", 2)
        assert function.call(max_age=0) == "server 2 False"
        server.kill()  # while the function is frozen
        assert function.call(max_age=0) == "memory 2 True"
        assert function.call(max_age=3600) == "memory 2 False"
    finally:
        function.process.kill()
        function.process.communicate()


def test_gunicorns_workers_follow_what_their_master_looked_up(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    address = tmp_path / "socket"
    environment = {
        **os.environ,
        "PROMPTUARY_URL": server.url,
        "PROMPTUARY_API_KEY": KEY,
        "COPIES": str(tmp_path / "copies"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", f"--bind=unix:{address}", "application:app"]
    master = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(address.exists)
        seen: dict[str, str] = {}  # the version that each worker answered last

        def ask(version: str) -> bool:
            transport = httpx.HTTPTransport(uds=str(address))
            with httpx.Client(transport=transport, timeout=60) as http:
                process, version_there, _ = http.get("http://application/").text.split()
            seen[process] = version_there
            return len(seen) == 2 and set(seen.values()) == {version}

        wait_until(lambda: ask("1"))
        server.move("production", 2)
        wait_until(lambda: ask("2"))
        assert str(master.pid) not in seen
    finally:
        master.terminate()
        _, errors = master.communicate(timeout=60)
    assert master.returncode == 0, errors


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_processes_of_a_prefork_pool_look_up_with_the_clients_of_their_parent(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the stream: a process that opens its own has the parent's copies confirmed, at a moment that the test cannot set.
    client = Promptuary(server.url, KEY, cache_dir=tmp_path, follow=False, deadline=60, ttl=3600)
    monkeypatch.setattr(worker, "client", client)
    client.get(TRIAGE)
    with get_context("fork").Pool(2, maxtasksperchild=1) as pool:  # as Celery's --max-tasks-per-child=1
        assert pool.map(worker.task, [3600.0] * 4, chunksize=1) == [("memory", 1)] * 4
        server.move("production", 2)
        assert pool.map(worker.task, [0.0] * 4, chunksize=1) == [("server", 2)] * 4
    client.close()


CELLS = """
prompt = await client.get("support.triage")
text = prompt.render(ticket="x")
same = blocking.get("support.triage").render(ticket="x")
"""


def test_a_notebook_awaits_at_the_top_level_of_a_running_loop(server: LiveServer, tmp_path: Path) -> None:
    async def kernel() -> dict[str, Any]:
        names: dict[str, Any] = {
            "client": AsyncPromptuary(server.url, KEY, cache_dir=tmp_path, deadline=60),
            "blocking": Promptuary(server.url, KEY, cache_dir=tmp_path, deadline=60),
        }
        for _ in range(2):  # a cell that is run twice
            cell = eval(compile(CELLS, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            if inspect.iscoroutine(cell):
                await cell
        await names["client"].close()
        await asyncio.to_thread(names["blocking"].close)
        return names

    names = asyncio.run(kernel())
    assert names["text"] == names["same"] == "1: x"
