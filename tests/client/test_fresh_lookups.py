"""Lookups with `max_age`, which ask the server before they answer, and fallbacks that are functions."""

import threading
from typing import Any

import pytest

from client.fake_registry import DOWN, TRIAGE, CoreDriver, FakeRegistry, ready, received, sse
from client.loopback_server import AsyncHarness, Connect, Handler, Server, black_hole, lookup_body, lookup_reply, problem
from promptuary.client import FallbackFailed, KeyRefused, PromptNotFound, PromptUnavailable
from promptuary.client.lookup.core import LookupPolicy
from promptuary.client.lookup.steps import DiskCopy
from promptuary.client.transport.wire import ServerRefusal
from promptuary.prompt.errors import Invalid, InvalidPrompt
from promptuary.prompt.split import divide


def test_max_age_0_asks_the_server_before_it_answers(server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=3600)
    client.get(TRIAGE)
    server.reply = lookup_reply(lookup_body("New: {{ticket}}", version=2))
    prompt = client.get(TRIAGE, max_age=0)
    assert (prompt.source, prompt.version, prompt.stale) == ("server", 2, False)
    assert server.requests[-1][1]["If-None-Match"]
    assert (client.get(TRIAGE).source, client.get(TRIAGE).version) == ("memory", 2)


@pytest.mark.parametrize("selection", [{"label": "staging"}, {"version": 1}, {"targeting_key": "ada"}])
def test_a_confirmed_version_is_an_answer_of_the_server(selection: dict[str, Any], server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=3600)
    client.get(TRIAGE, **selection)
    assert client.get(TRIAGE, max_age=0, **selection).source == "server"  # a 304
    assert len(server.requests) == 2


def test_an_answer_that_is_young_enough_is_returned_from_memory() -> None:
    driver = CoreDriver(LookupPolicy(ttl=60))
    driver.respond = received
    driver.get(max_age=10)
    driver.now += 9.9
    assert driver.get(max_age=10).source == "memory"
    driver.now += 0.1
    driver.respond = lambda: received(2)
    assert (driver.get(max_age=10).source, driver.get(max_age=10).version) == ("server", 2)
    driver.now += 61  # beyond the ttl, and still young enough for this caller: renewed in the background
    assert driver.get(max_age=100).source == "memory"
    assert len(driver.requests) == 3


def test_an_answer_that_an_event_invalidated_is_not_young() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(LookupPolicy(ttl=3600), registry=registry, follow=True)
    driver.connect()
    driver.receive(ready(registry.revision))
    driver.now += 10
    driver.get()
    revision = registry.label_moved("production", 2)
    driver.core.on_stream_chunk(driver.attempt, sse("label.moved", revision, prompt=TRIAGE, label="production"))
    assert driver.get(max_age=1000).version == 2


def test_max_age_0_asks_also_while_the_stream_keeps_memory_fresh() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(LookupPolicy(ttl=3600), registry=registry, follow=True)
    driver.connect()
    driver.receive(ready(registry.revision))
    driver.now += 10
    driver.get()
    assert driver.get(max_age=0).source == "server"
    driver.registry = None
    prompt = driver.get(max_age=0)
    assert (prompt.source, prompt.stale) == ("memory", True)
    assert not driver.get().stale


def test_without_an_answer_the_copies_are_returned_as_stale() -> None:
    driver = CoreDriver(LookupPolicy(ttl=60))
    driver.respond = received
    driver.get()
    driver.respond = lambda: DOWN
    prompt = driver.get(max_age=0, fallback="x")
    assert (prompt.source, prompt.version, prompt.stale, prompt.age) == ("memory", 1, True, 0.0)
    assert not driver.get().stale
    driver = CoreDriver(disk_copy=DiskCopy(received().version, None, age=0.0))
    assert (driver.get(max_age=0).source, driver.get(max_age=0).stale) == ("disk", True)
    assert CoreDriver().get(max_age=0, fallback="x").source == "fallback"
    with pytest.raises(PromptUnavailable):
        CoreDriver().get(max_age=0)


def test_a_refused_key_leaves_the_copy_in_use_and_a_missing_prompt_does_not() -> None:
    driver = CoreDriver()
    driver.respond = received
    driver.get()
    driver.respond = lambda: ServerRefusal(KeyRefused("the key was revoked"))
    assert (driver.get(max_age=0).source, driver.get(max_age=0).stale) == ("memory", True)
    driver.respond = lambda: ServerRefusal(PromptNotFound("no such label"), is_missing=True)
    assert driver.get(max_age=0, fallback="x").source == "fallback"
    with pytest.raises(PromptNotFound):
        driver.get(max_age=0)


def test_the_deadline_covers_a_fresh_lookup(server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=3600)
    client.get(TRIAGE)
    server.reply = black_hole
    client.set_deadline(0.3)
    prompt = client.get(TRIAGE, max_age=0)
    assert (prompt.source, prompt.stale) == ("memory", True)
    assert not server.silence_ended.is_set()


def test_a_request_that_began_before_the_call_is_not_joined(server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    arrived, proceed, reply = threading.Event(), threading.Event(), server.reply

    def slow(handler: Handler) -> None:
        arrived.set()
        proceed.wait(60)
        reply(handler)

    server.reply = slow
    client.get(TRIAGE)  # renews in the background
    assert arrived.wait(60)
    server.reply = lookup_reply(lookup_body("New: {{ticket}}", version=2, revision=2))
    assert client.get(TRIAGE, max_age=0).version == 2
    proceed.set()
    client.settle()
    assert client.get(TRIAGE, max_age=0).version == 2


def test_each_arm_of_a_split_label_is_asked_for() -> None:
    split = divide(f"{TRIAGE}/production", [(1, 50.0), (2, 50.0)])
    registry = FakeRegistry()
    registry.label_moved("production", [(1, 50.0), (2, 50.0)])
    driver = CoreDriver(registry=registry)
    for key in ("a", "b", "c", "d"):
        prompt = driver.get(targeting_key=key, max_age=0)
        assert (prompt.source, prompt.version) == ("server", split.arm(key).version)
    assert len(driver.requests) >= 4


@pytest.mark.parametrize("max_age", [-1, -0.1, float("nan")])
def test_an_age_that_cannot_be_is_refused(max_age: float, server: Server, connect: Connect) -> None:
    with pytest.raises(Invalid, match="max_age"):
        connect(server.url).get(TRIAGE, max_age=max_age)


# --- fallbacks that are functions ---------------------------------------------------------------------------------------


def test_the_function_of_a_fallback_is_called_only_when_it_is_needed(server: Server, connect: Connect) -> None:
    calls: list[int] = []

    def fallback() -> str:
        calls.append(1)
        return "Sort: {{ticket}}"

    client = connect(server.url)
    assert client.get(TRIAGE, fallback=fallback).source == "server"
    assert client.get(TRIAGE, fallback=fallback).source == "memory"
    assert calls == []
    server.reply = problem(404, "not_found")
    prompt = client.get("support.other", fallback=fallback)
    assert (prompt.source, prompt.render(ticket="x"), calls) == ("fallback", "Sort: x", [1])


def test_an_error_of_the_function_names_the_prompt_and_the_servers_reason(server: Server, connect: Connect) -> None:
    def fallback() -> str:
        raise OSError("no such file")

    server.reply = problem(500, "internal_error")
    with pytest.raises(FallbackFailed, match=r"'support.triage'.*answered 500.*raised OSError: no such file") as caught:
        connect(server.url).get(TRIAGE, fallback=fallback)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_function_that_returns_what_is_no_fallback_is_reported(server: Server, connect: Connect) -> None:
    server.kill()
    with pytest.raises(InvalidPrompt, match=r"fallback of 'support.triage'"):
        connect(server.url).get(TRIAGE, fallback=lambda: "{{open")
    with pytest.raises(InvalidPrompt, match=r"fallback of 'support.triage'"):
        connect(server.url).get(TRIAGE, fallback=lambda: 7)
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE, fallback=lambda: None)


def test_a_coroutine_function_is_awaited_and_refused_by_the_client_for_threads(server: Server, connect: Connect) -> None:
    async def fallback() -> str:
        return "awaited"

    server.kill()
    client = connect(server.url)
    if isinstance(client, AsyncHarness):
        assert client.get(TRIAGE, fallback=fallback).render() == "awaited"
    else:
        with pytest.raises(FallbackFailed, match="AsyncPromptuary"):
            client.get(TRIAGE, fallback=fallback)
