"""The end of a program with calls that are queued: a server that answers is waited for, one that does not is not."""

import asyncio
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
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = _client(refuse, 0.05)
    client.observe("greeting", output="x")
    client.close()
    assert client.traffic.sent == 0


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
