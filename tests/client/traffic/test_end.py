"""The end of a program with calls that are queued: a server that answers is waited for, one that does not is not."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import DropReason

WAIT = 60.0
"""Seconds after which a test fails that waits for an event."""


@dataclass
class SlowService:
    """Takes calls only after somebody has asked whether it is alive; `refusals` are answered first."""

    refusals: list[httpx.Response] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/healthz":
            self.was_asked.set()
            return httpx.Response(200, json={"status": "ok"})
        self.posts.append(time.monotonic())
        if self.refusals:
            return self.refusals.pop(0)
        assert self.was_asked.wait(WAIT)
        return httpx.Response(202, json={"accepted": 1})


def _refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _client(handler: Callable[[httpx.Request], httpx.Response], seconds: float) -> Promptuary:
    transport = httpx.MockTransport(handler)
    return Promptuary("http://127.0.0.1:1", "pmt_x", disk=False, follow=False, transport=transport, exit_deadline=seconds)


def test_a_server_that_answers_is_waited_for_beyond_the_deadline() -> None:
    client = _client(SlowService(), 0.05)
    client.observe("greeting", output="x")
    client.close()
    assert (client.traffic.sent, client.traffic.dropped) == (1, {})


def test_the_client_for_asyncio_waits_for_a_server_that_answers() -> None:
    async def report() -> AsyncPromptuary:
        transport = httpx.MockTransport(SlowService())
        client = AsyncPromptuary(
            "http://127.0.0.1:1", "pmt_x", disk=False, follow=False, transport=transport, exit_deadline=0.05
        )
        client.observe("greeting", output="x")
        await client.close()
        return client

    counts = asyncio.run(report()).traffic
    assert (counts.sent, counts.dropped) == (1, {})


def test_the_end_respects_the_pause_that_a_server_requests() -> None:
    service = SlowService([httpx.Response(429, headers={"Retry-After": "1"})])
    service.was_asked.set()
    client = _client(service, 0.05)
    client.observe("greeting", output="x")
    client.close()
    assert (client.traffic.sent, len(service.posts)) == (1, 2)
    assert service.posts[1] - service.posts[0] >= 1.0


def test_a_server_without_an_answer_is_given_up_at_the_deadline() -> None:
    client = _client(_refuse, 0.05)
    client.observe("greeting", output="x")
    client.close()
    assert (client.traffic.sent, client.traffic.queued, client.traffic.dropped) == (0, 0, {"unsent": 1})


def test_close_counts_all_that_was_not_delivered_as_unsent(caplog: pytest.LogCaptureFixture) -> None:
    client = _client(_refuse, 0.05)
    for _ in range(300):
        client.observe("greeting", output="x")
    client.close()
    assert repr(client.traffic) == "TrafficCounts(sent=0, queued=0, dropped={'unsent': 300})"
    lines = [record.getMessage() for record in caplog.records if record.name == "promptuary.client"]
    reported = [line for line in lines if "not reported" in line]
    cause = "the server cannot be reached (ConnectError)"
    assert reported == [f"calls or feedback were not reported: 300 unsent in all ({cause}); see client.traffic"]


def test_the_last_line_has_the_totals_of_every_reason(caplog: pytest.LogCaptureFixture) -> None:
    client = _client(_refuse, 0.05)
    for _ in range(12_000):
        client.observe("greeting")
    client.close()
    dropped = client.traffic.dropped
    assert client.traffic.queued == 0
    assert sum(dropped.values()) == 12_000
    assert set(dropped) == {"full", "unsent"}
    last = [record.getMessage() for record in caplog.records if "not reported" in record.getMessage()][-1]
    assert f"{dropped['full']} full, {dropped['unsent']} unsent in all" in last


def test_closing_an_asyncio_client_counts_what_is_unsent() -> None:
    async def report() -> AsyncPromptuary:
        transport = httpx.MockTransport(_refuse)
        client = AsyncPromptuary(
            "http://127.0.0.1:1", "pmt_x", disk=False, follow=False, transport=transport, exit_deadline=0.05
        )
        client.observe("greeting", output="x")
        await client.close()
        return client

    counts = asyncio.run(report()).traffic
    assert (counts.queued, counts.dropped) == (0, {"unsent": 1})


def test_a_request_in_flight_at_the_end_corrects_the_counts() -> None:
    arrived, may_answer = threading.Event(), threading.Event()

    def answer_late(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/healthz":
            raise httpx.ConnectError("refused")
        arrived.set()
        assert may_answer.wait(WAIT)
        return httpx.Response(202, json={"accepted": 1})

    client = _client(answer_late, 0.05)
    client.observe("greeting", output="x")
    assert not client.flush(0)
    assert arrived.wait(WAIT)
    client.close()
    assert (client.traffic.queued, client.traffic.dropped) == (0, {"unsent": 1})
    may_answer.set()
    end = time.monotonic() + WAIT
    while not client.traffic.sent and time.monotonic() < end:
        time.sleep(0.01)
    assert (client.traffic.sent, client.traffic.queued, client.traffic.dropped) == (1, 0, {})


PROGRAM = """
from promptuary import Promptuary
client = Promptuary("http://127.0.0.1:1", "pmt_x", follow=False, disk=False, exit_deadline=0.2)
for _ in range({number}): client.observe("greeting", output="x")
{end}
"""


@pytest.mark.parametrize(
    "end", ["", "client.close()", "client.close(); client.observe('greeting'); client.observe('greeting')"]
)
def test_a_program_that_ends_says_what_it_did_not_report(end: str) -> None:
    program = PROGRAM.format(number=300, end=end)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    lines = [line for line in ended.stderr.splitlines() if "not reported" in line]
    assert ended.returncode == 0
    assert "300 unsent" in lines[-1]
    assert " in all" in lines[-1]
    assert len(lines) == (2 if "observe" in end else 1)
    assert ("2 closed" in lines[-1]) == ("observe" in end)


def test_a_program_that_can_start_no_thread_sends_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = _client(SlowService(), 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        client.observe("greeting", output="x")
        client.close()
    assert client.traffic.sent == 1
    assert DropReason.UNSENT not in client.traffic.dropped
