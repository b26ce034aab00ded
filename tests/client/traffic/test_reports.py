"""What `observe` and `feedback` send, through the service itself: its schemas accept all that the client sends."""

import asyncio
import json
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.live_server import wait_until
from client.test_prompt import prompt_of
from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import DropReason
from promptuary.client.traffic import queue, sending
from promptuary.traffic.feedback.schemas import FeedbackBody
from promptuary.traffic.intake.observations.schemas import ObservationsIn

PROMPT = prompt_of("Hi {{name}}")


@dataclass
class FakeService:
    """Validates what it receives as the service does, and stores it; `responses` are returned first."""

    observations: list[Any] = field(default_factory=list)
    feedback: list[Any] = field(default_factory=list)
    responses: list[httpx.Response] = field(default_factory=list)
    requests: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.responses:
            return self.responses.pop(0)
        body = json.loads(request.content)
        if request.url.path == "/v1/observations":
            self.observations += ObservationsIn.model_validate(body).observations
            return httpx.Response(202, json={"taken": len(body["observations"])})
        items = FeedbackBody.model_validate(body).items
        assert items is not None
        self.feedback += items
        return httpx.Response(202, json={"accepted": len(items), "rejected": []})


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService, tmp_path: Path) -> Iterator[Promptuary]:
    client = Promptuary("http://127.0.0.1:1", "pmt_x", disk=False, follow=False, transport=httpx.MockTransport(service))
    yield client
    client.close()


class Hostile:
    """A value that has no form at all."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_a_call_has_the_fields_that_were_passed(client: Promptuary, service: FakeService) -> None:
    messages = [{"role": "user", "content": "Hi Ann"}]
    number = client.observe(
        PROMPT,
        variables={"name": "Ann"},
        input=messages,
        output="Hello",
        tokens={"prompt_tokens": 3, "completion_tokens": 1},
        latency_ms=20,
        model="m",
        at=datetime(2026, 3, 2, tzinfo=UTC),
        user="u-1",
    )
    messages.append({"role": "assistant", "content": "Hello"})  # what comes afterwards is not part of the call
    assert client.flush(60)
    (call,) = service.observations
    assert (call.id, call.prompt, call.version, call.digest) == (number, PROMPT.name, PROMPT.version, PROMPT.digest)
    assert (call.variables, call.output, call.latency_ms, call.model) == ({"name": "Ann"}, "Hello", 20.0, "m")
    assert [message.content for message in call.input] == ["Hi Ann"]
    assert (call.tokens.input, call.tokens.output, call.tokens.cached, call.cost) == (3, 1, None, None)
    assert (call.status.value, call.at.isoformat(), call.user) == ("ok", "2026-03-02T00:00:00+00:00", "u-1")
    assert (client.traffic.sent, client.traffic.queued, client.traffic.dropped) == (1, 0, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"variables": {"a": Hostile(), 3: {1, 2}, "nan": math.nan, "big": 2**70, "nul": "a\0b\ud800"}},
        {"variables": Hostile(), "output": Hostile(), "input": Hostile(), "tokens": Hostile(), "error": Hostile()},
        {"latency_ms": -1, "first_token_ms": math.inf, "cost": "much", "tokens": {"input": -1, "output": 2.5}},
        {"error": ValueError("it broke\0"), "status": "wrong"},
        {"input": ["Hi", {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, 3]},
        {"model": "m" * 1000, "user": "", "conversation": 7, "finish": object(), "id": ""},
        {"at": "yesterday", "tool_calls": [{"id": 1, "name": "f", "arguments": {"a": Hostile()}}]},
        {"at": datetime(2026, 3, 2), "tool_calls": 5},  # noqa: DTZ001 (as a program may pass it)
    ],
)
def test_no_value_raises_and_the_call_is_counted_all_the_same(
    client: Promptuary, service: FakeService, fields: dict[str, Any]
) -> None:
    client.observe(PROMPT, **fields)
    client.observe(PROMPT)
    assert client.flush(60)
    counts = client.traffic
    assert counts.sent + sum(counts.dropped.values()) == 2
    assert len(service.observations) == counts.sent >= 1


@pytest.mark.parametrize("prompt", [None, "a.name", Hostile(), 3, PROMPT])
def test_any_prompt_may_be_passed(client: Promptuary, prompt: Any) -> None:
    client.observe(prompt)
    assert client.flush(60)
    assert client.traffic.sent + client.traffic.dropped.get(DropReason.INVALID, 0) == 1


def test_an_error_is_one_with_its_type(client: Promptuary, service: FakeService) -> None:
    client.observe(PROMPT, error=TimeoutError("too slow"))
    client.flush(60)
    (call,) = service.observations
    assert (call.status.value, call.error.type, call.error.message) == ("error", "TimeoutError", "too slow")


def test_without_contents_only_what_is_counted_leaves(service: FakeService) -> None:
    transport = httpx.MockTransport(service)
    client = Promptuary("http://127.0.0.1:1", disk=False, follow=False, contents=False, transport=transport)
    client.observe(
        PROMPT, variables={"name": "Ann"}, input="Ann", output="Ann", user="Ann", error=ValueError("Ann"), latency_ms=3
    )
    client.feedback(PROMPT, 0, comment="Ann", correction="Ann", user="Ann")
    client.close()
    assert "Ann" not in str(service.observations) + str(service.feedback)
    assert (service.observations[0].latency_ms, service.observations[0].error.type) == (3.0, "ValueError")


def test_feedback_names_its_version_and_call(client: Promptuary, service: FakeService) -> None:
    call = client.observe(PROMPT)
    number = client.feedback(PROMPT, True, comment="good", observation=call, name="tone")
    client.flush(60)
    (item,) = service.feedback
    assert (item.id, item.prompt, item.version, item.value, item.observation) == (
        number,
        PROMPT.name,
        PROMPT.version,
        True,
        call,
    )
    assert (item.comment, item.name) == ("good", "tone")
    assert (item.prompt_label, item.prompt_variant) == (PROMPT.label, PROMPT.variant)


@pytest.mark.parametrize("value", [2, -0.1, math.nan, "1", None])
def test_feedback_that_no_program_means_is_refused_at_once(client: Promptuary, value: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        client.feedback(PROMPT, value)
    with pytest.raises(ValueError, match="pass the prompt"):
        client.feedback("a.name", 1)  # type: ignore[arg-type]  # what a program may do


def test_a_refused_call_does_not_keep_the_others_back(client: Promptuary, service: FakeService) -> None:
    problem = {"type": "urn:promptuary:problem:invalid_request", "code": "invalid_request", "detail": "a field is wrong"}
    service.responses += [httpx.Response(422, json=problem)] * 2  # the batch of four, and its first half
    for _ in range(4):
        client.observe(PROMPT)
    service.responses.append(httpx.Response(422, json=problem))  # the first call alone
    assert client.flush(60)
    assert (client.traffic.sent, client.traffic.dropped) == (3, {DropReason.REFUSED: 1})


def test_a_server_that_is_down_is_tried_again(
    client: Promptuary, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.001)
    service.responses += [httpx.Response(503), httpx.Response(502), httpx.Response(429, headers={"Retry-After": "0"})]
    client.observe(PROMPT)
    assert client.flush(60)
    assert (client.traffic.sent, client.traffic.dropped, service.requests) == (1, {}, 4)


def test_the_queue_is_bounded_by_number_and_by_bytes(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()

    def wait(request: httpx.Request) -> httpx.Response:
        released.wait(60)
        return service(request)

    monkeypatch.setattr(queue, "QUEUE_ITEMS", 5)
    options = queue.TrafficOptions(items=5, size=100_000)
    client = Promptuary("http://127.0.0.1:1", disk=False, follow=False, transport=httpx.MockTransport(wait))
    client._traffic._options = options
    for _ in range(8):
        client.observe(PROMPT)
    assert (client.traffic.queued, client.traffic.dropped) == (5, {DropReason.FULL: 3})
    released.set()
    assert client.flush(60)
    released.clear()
    client.observe(PROMPT, output="x" * 99_000)
    client.observe(PROMPT, output="x" * 99_000)
    client.observe(PROMPT, variables={"history": [{"role": "user", "content": "x" * 99_000}]})
    assert client.traffic.dropped == {DropReason.FULL: 5}
    released.set()
    client.close()
    client.observe(PROMPT)
    assert client.traffic.dropped == {DropReason.FULL: 5, DropReason.CLOSED: 1}
    lines = [record.getMessage() for record in caplog.records if "were not reported" in record.getMessage()]
    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == ["1 full", "5 full in all"]


def test_one_call_over_the_limit_of_a_request_is_dropped(client: Promptuary, service: FakeService) -> None:
    client.observe(PROMPT, output="x" * 1_000_000)
    client.observe(PROMPT)
    assert client.flush(60)
    assert (client.traffic.sent, client.traffic.dropped) == (1, {DropReason.INVALID: 1})


def test_the_client_for_asyncio_reports_with_and_without_await(service: FakeService) -> None:
    async def run() -> None:
        async with AsyncPromptuary(
            "http://127.0.0.1:1", disk=False, follow=False, transport=httpx.MockTransport(service)
        ) as client:
            number = await client.observe(PROMPT)
            client.observe(PROMPT)
            assert await client.feedback(PROMPT, 1, observation=number)
            assert await client.flush(60)
            assert client.traffic.sent == 3

    asyncio.run(run())
    assert len(service.observations) == 2


def test_a_fork_reports_by_itself(client: Promptuary, service: FakeService, tmp_path: Path) -> None:
    released = threading.Event()
    service.responses.append(httpx.Response(503, headers={"Retry-After": "300"}))  # the parent's call stays queued
    client.observe(PROMPT)
    wait_until(lambda: service.requests == 1)
    pid = os.fork()
    if pid == 0:
        sent = -1
        try:
            client.observe(PROMPT)
            client.flush(60)
            sent = client.traffic.sent
        finally:
            (tmp_path / "sent").write_text(f"{sent} {len(service.observations)}")
            os._exit(0)
    os.waitpid(pid, 0)
    assert (tmp_path / "sent").read_text() == "1 1"  # its own call, and not the parent's
    assert client.flush(60)
    assert len(service.observations) == 1
    released.set()


def test_many_threads_lose_nothing(client: Promptuary, service: FakeService) -> None:
    def report() -> None:
        for _ in range(200):
            client.observe(PROMPT, output="x")

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(60)
    assert client.traffic.sent == len({call.id for call in service.observations}) == 1600
