"""Lookups while the server is killed, stopped, black-holed, babbling or dripping: every one is answered, and in time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from client.fake_registry import TRIAGE
from client.live_server import LiveServer, wait_until
from client.loopback_server import Client, Connect, Handler, Reply, black_hole, dripping, send
from paths import TESTS
from promptuary import Prompt
from promptuary.client import PromptUnavailable

SERVE = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from client.live_server import LiveServer
print(LiveServer().url, flush=True)
sys.stdin.read()
"""
GARBAGE = send(200, os.urandom(4000), {"Content-Type": "text/event-stream"})
IN_PROCESS: dict[str, Reply] = {"black-holed": black_hole, "babbling": GARBAGE, "dripping": dripping}
FAULTS = ["killed", "stopped", *IN_PROCESS]
SLACK = 20.0
"""Seconds that a busy machine may add to a deadline."""


class Running:
    """A server in a process of its own, or in this one where the fault is what it answers."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.server: LiveServer | None = None
        self.process: subprocess.Popen[str] | None = None
        if fault in IN_PROCESS:
            self.server = LiveServer()
            self.url = self.server.url
        else:
            command = [sys.executable, "-c", SERVE, str(TESTS)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self.process.stdout is not None
            self.url = self.process.stdout.readline().strip()

    def fail(self) -> None:
        """Begin to fail, for new requests and for who reads the stream."""
        if self.server is not None:
            self.server.reply = self.server.stream = IN_PROCESS[self.fault]
            self.server.say(b"\xff\x00data: {\n\n" if self.fault == "babbling" else b"data: ")
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP if self.fault == "stopped" else signal.SIGKILL)
            if self.fault == "killed":
                self.process.wait(10)

    def recover(self) -> None:
        """Be as before; who was killed stays so."""
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


@pytest.fixture(params=FAULTS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server that will fail in one of the ways."""
    running = Running(request.param)
    yield running
    running.end()


def warm(client: Client) -> None:
    """Look up until the server has answered once: a busy machine may be late for a short deadline."""

    def answered() -> bool:
        with suppress(PromptUnavailable):
            client.get(TRIAGE)
            return True
        return False

    wait_until(answered, 60)


def in_time(look_up: Callable[[], Prompt], deadline: float) -> Prompt:
    started = time.monotonic()
    prompt = look_up()
    assert time.monotonic() - started < deadline + SLACK
    return prompt


@pytest.mark.parametrize("follow", [True, False])
def test_a_warm_client_answers_every_lookup(follow: bool, running: Running, connect: Connect) -> None:
    client = connect(running.url, ttl=0, deadline=0.5, follow=follow)
    warm(client)
    if follow:
        wait_until(lambda: client.client.following)
    running.fail()
    answered: list[Prompt] = []

    def crowd() -> None:
        for _ in range(100):
            answered.append(in_time(lambda: client.get(TRIAGE), 0.5))

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
        again = connect(running.url, ttl=0, deadline=0.3)
        prompts = [in_time(lambda again=again: again.get(TRIAGE), 0.3) for _ in range(20)]
        assert {(prompt.source, prompt.version, prompt.stale) for prompt in prompts} == {("disk", 1, True)}


def test_a_cold_client_gives_the_fallback_or_says_why_in_time(running: Running, connect: Connect) -> None:
    running.fail()
    client = connect(running.url, deadline=0.3)
    for number in range(6):
        prompt = in_time(lambda: client.get(TRIAGE, fallback="Sort: {{ticket}}"), 0.3)
        assert (prompt.source, prompt.render(ticket="x")) == ("fallback", "Sort: x")
        started = time.monotonic()
        with pytest.raises(PromptUnavailable):
            client.get(f"support.other.{number}")
        assert time.monotonic() - started < 0.3 + SLACK


@pytest.mark.parametrize("running", list(IN_PROCESS), indirect=True)
def test_when_the_server_is_back_the_client_follows_it_again(running: Running, connect: Connect) -> None:
    assert running.server is not None
    client: Client = connect(running.url, ttl=0, deadline=0.5, follow=True, breaker_cool_down=0.1)
    warm(client)
    wait_until(lambda: client.client.following)
    running.fail()
    for _ in range(10):
        client.get(TRIAGE)
        client.settle()
    running.recover()
    running.server.say(None)
    running.server.released.set()  # lets go of what hangs
    running.server.released = threading.Event()
    running.server.move("production", 2)
    wait_until(lambda: client.get(TRIAGE).version == 2)
    wait_until(lambda: client.client.following, 60)


def test_a_stopped_server_that_goes_on_is_followed_as_if_nothing_had_been(connect: Connect) -> None:
    running = Running("stopped")
    try:
        client = connect(running.url, ttl=0, deadline=0.5, follow=True, breaker_cool_down=0.1)
        warm(client)
        wait_until(lambda: client.client.following)
        running.fail()
        assert all(client.get(TRIAGE).version == 1 for _ in range(50))
        running.recover()
        wait_until(lambda: client.client.following and not client.get(TRIAGE).stale)
    finally:
        running.end()


def test_an_answer_of_another_kind_in_the_middle_of_a_connection_is_a_failure(connect: Connect) -> None:
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
