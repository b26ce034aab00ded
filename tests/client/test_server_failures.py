"""Lookups while the server is killed, stopped, silent, babbling or dripping: every one is answered."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from client.fake_registry import TRIAGE
from client.live_server import LiveServer, wait_until
from client.loopback_server import Client, Connect, Handler, Reply, black_hole, dripping, send
from paths import TESTS
from promptuary import Prompt
from promptuary.client import PromptUnavailable

pytestmark = pytest.mark.process

SERVE = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from client.live_server import LiveServer
print(LiveServer().url, flush=True)
sys.stdin.read()
"""
GARBAGE = send(200, os.urandom(4000), {"Content-Type": "text/event-stream"})
IN_PROCESS: dict[str, Reply] = {"black-holed": black_hole, "babbling": GARBAGE, "dripping": dripping}
FAILURES = ["killed", "stopped", *IN_PROCESS]
SHORT = 0.3
"""The deadline while a server fails in a way in which it cannot answer: nothing can be late for it. Silence is longer."""


class Running:
    """A server in a process of its own, or in this one where the failure is in its responses."""

    def __init__(self, failure: str) -> None:
        self.failure = failure
        self.server: LiveServer | None = None
        self.process: subprocess.Popen[str] | None = None
        if failure in IN_PROCESS:
            self.server = LiveServer()
            self.url = self.server.url
        else:
            command = [sys.executable, "-c", SERVE, str(TESTS)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self.process.stdout is not None
            self.url = self.process.stdout.readline().strip()

    def fail(self) -> None:
        """Begin to fail, for new requests and for the readers of the stream."""
        if self.server is not None:
            self.server.reply = self.server.stream = IN_PROCESS[self.failure]
            self.server.say(b"\xff\x00data: {\n\n" if self.failure == "babbling" else b"data: ")
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP if self.failure == "stopped" else signal.SIGKILL)
            if self.failure == "killed":
                self.process.wait(60)

    def recover(self) -> None:
        """Undo the failure; a process that was killed stays so."""
        if self.server is not None:
            self.server.reply, self.server.stream = self.server.look_up, self.server.tell
        elif self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self.server is not None:
            self.server.kill()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture(params=FAILURES)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server that will fail in one of the ways."""
    running = Running(request.param)
    yield running
    running.end()


@pytest.mark.parametrize("follow", [True, False])
def test_a_warm_client_answers_every_lookup(follow: bool, running: Running, connect: Connect) -> None:
    client = connect(running.url, ttl=0, follow=follow)
    client.get(TRIAGE)
    if follow:
        wait_until(lambda: client.client.following)
    running.fail()
    client.set_deadline(SHORT)
    answered: list[Prompt] = []

    def crowd() -> None:
        for _ in range(100):
            answered.append(client.get(TRIAGE))

    threads = [threading.Thread(target=crowd) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answered) == 400
    assert {(prompt.source, prompt.version, prompt.render(ticket="x")) for prompt in answered} == {("memory", 1, "1: x")}


def test_a_client_with_a_copy_on_disk_answers_every_lookup(running: Running, connect: Connect) -> None:
    client = connect(running.url)
    client.get(TRIAGE)
    client.settle()
    running.fail()
    for _ in range(3):  # restarts
        again = connect(running.url, ttl=0, deadline=SHORT)
        prompts = [again.get(TRIAGE) for _ in range(20)]
        assert {(prompt.source, prompt.version, prompt.stale) for prompt in prompts} == {("disk", 1, True)}


def test_a_cold_client_returns_the_fallback_or_raises_the_reason(running: Running, connect: Connect) -> None:
    running.fail()
    client = connect(running.url, deadline=SHORT)
    for number in range(6):
        prompt = client.get(TRIAGE, fallback="Sort: {{ticket}}")
        assert (prompt.source, prompt.render(ticket="x")) == ("fallback", "Sort: x")
        with pytest.raises(PromptUnavailable):
            client.get(f"support.other.{number}")


@pytest.mark.parametrize("running", list(IN_PROCESS), indirect=True)
def test_when_the_server_is_back_the_client_follows_it_again(running: Running, connect: Connect) -> None:
    assert running.server is not None
    client: Client = connect(running.url, ttl=0, follow=True, breaker_cool_down=0.1)
    client.get(TRIAGE)
    wait_until(lambda: client.client.following)
    running.fail()
    client.set_deadline(SHORT)
    for _ in range(10):
        client.get(TRIAGE)
        client.settle()
    running.recover()
    running.server.say(None)
    client.set_deadline(20)
    running.server.released.set()  # ends the replies that hang
    running.server.released = threading.Event()
    running.server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    wait_until(lambda: client.client.following, 60)


def test_a_stopped_server_that_resumes_is_followed_again(connect: Connect) -> None:
    running = Running("stopped")
    try:
        client = connect(running.url, ttl=0, follow=True, breaker_cool_down=0.1)
        client.get(TRIAGE)
        wait_until(lambda: client.client.following)
        running.fail()
        client.set_deadline(SHORT)
        assert all(client.get(TRIAGE).version == 1 for _ in range(50))
        client.set_deadline(20)
        running.recover()
        wait_until(lambda: client.client.following and not client.get(TRIAGE).stale)
    finally:
        running.end()


def test_a_truncated_response_in_the_middle_of_a_connection_is_a_failure(connect: Connect) -> None:
    server = LiveServer()

    def truncated(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: text/event-stream\r\n\r\nid: 1\n")

    try:
        client = connect(server.url, ttl=0, follow=True)
        client.get(TRIAGE)
        server.reply = server.stream = truncated
        server.say(None)
        for _ in range(20):
            assert client.get(TRIAGE).version == 1
            client.settle()
    finally:
        server.kill()
