"""What a client does once the server reports that it no longer has a prompt, label or version."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from client.fake_registry import DOWN, TRIAGE, CoreDriver, FakeRegistry, ready, received, sse
from client.live_server import LiveServer, wait_until
from client.loopback_server import Connect, Reply, Server, lookup_body, lookup_reply, problem, send
from promptuary.client import KeyRefused, PromptNotFound, PromptUnavailable
from promptuary.client.lookup.core import LookupPolicy
from promptuary.client.transport.wire import FetchOutcome, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.prompt.split import divide

HTML = {"Content-Type": "text/html"}
MISSING: dict[str, Reply] = {"404": problem(404, "not_found"), "410": problem(410, "version_erased")}
OTHERS: dict[str, Reply] = {
    "a revoked key": problem(401, "not_authenticated"),
    "a role": problem(403, "forbidden"),
    "a request": problem(422, "invalid_request"),
    "a proxy's page": send(404, b"<html>404 page not found</html>", HTML),
    "a proxy's page with 410": send(410, b"<html>gone</html>", HTML),
    "a gateway's JSON": send(404, {"code": "not_found", "message": "no such route"}, {"Content-Type": "application/json"}),
    "no route of the server": send(
        404, {"type": "urn:promptuary:problem:not_found", "code": "not_found", "detail": "there is nothing at this path"}
    ),
    "an empty 404": send(404, b""),
    "a failure": problem(500, "internal_error"),
}
GONE = ServerRefusal(PromptNotFound("there is no such label"), is_missing=True)
ERASED = ServerRefusal(PromptNotFound("version 2 was erased"), is_missing=True, is_erased=True)
SPLIT = divide(f"{TRIAGE}/production", [(1, 50.0), (2, 50.0)])
PRODUCTION = Selector(TRIAGE, "production", None, None)
KEYS = {SPLIT.arm(key).version: key for key in map(str, range(20))}


@pytest.fixture(params=list(MISSING))
def missing(request: pytest.FixtureRequest) -> Reply:
    """A response that reports that the prompt is gone."""
    return MISSING[request.param]


@pytest.mark.parametrize("selection", [{}, {"label": "staging"}, {"version": 1}, {"targeting_key": "ada"}])
def test_a_missing_prompt_ends_its_copy_in_memory(
    selection: dict[str, Any], missing: Reply, server: Server, connect: Connect
) -> None:
    client = connect(server.url, ttl=0)
    server.reply = lookup_reply(lookup_body(label=selection.get("label", "production")))
    client.get(TRIAGE, **selection)
    server.reply = missing
    client.get(TRIAGE, **selection)  # still from memory, and asks in the background
    client.settle()
    with pytest.raises(PromptNotFound):
        client.get(TRIAGE, **selection)
    assert client.get(TRIAGE, **selection, fallback="x").source == "fallback"


def test_a_missing_prompt_is_not_back_after_a_restart_without_a_server(
    missing: Reply, server: Server, connect: Connect
) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    server.reply = missing
    client.get(TRIAGE)
    client.settle()
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)


def test_a_process_that_never_had_the_prompt_ends_the_copy_of_another(missing: Reply, server: Server, connect: Connect) -> None:
    connect(server.url).get(TRIAGE)
    server.reply = missing
    with pytest.raises(PromptNotFound):
        connect(server.url).get(TRIAGE)
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)


@pytest.mark.parametrize("no", list(OTHERS))
def test_another_refusal_or_a_proxys_404_ends_nothing(no: str, server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    server.reply = OTHERS[no]
    for _ in range(3):
        assert client.get(TRIAGE).source == "memory"
        client.settle()
    server.kill()
    assert connect(server.url).get(TRIAGE).source == "disk"


def test_keep_on_missing_keeps_the_copies(missing: Reply, server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0, keep_on_missing=True)
    client.get(TRIAGE)
    server.reply = missing
    for _ in range(3):
        assert client.get(TRIAGE).source == "memory"
        client.settle()
    server.kill()
    assert connect(server.url, keep_on_missing=True).get(TRIAGE).source == "disk"


def test_a_bundle_does_not_stand_in_for_a_missing_prompt_and_keeps_it(
    missing: Reply, server: Server, connect: Connect, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps({"prompts": {TRIAGE: {"labels": {"production": 1}, "versions": {"1": lookup_body()}}}}))
    server.reply = missing
    client = connect(server.url, bundle=bundle)
    with pytest.raises(PromptNotFound):
        client.get(TRIAGE)
    server.kill()
    assert client.get(TRIAGE).source == "bundle"


def test_a_copy_from_the_bundle_in_memory_ends_with_the_servers_word(
    missing: Reply, server: Server, connect: Connect, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps({"prompts": {TRIAGE: {"labels": {"production": 1}, "versions": {"1": lookup_body()}}}}))
    server.reply = problem(500, "internal_error")
    client = connect(server.url, bundle=bundle)
    assert client.get(TRIAGE).source == "bundle"
    server.reply = missing
    client.get(TRIAGE)
    client.settle()
    with pytest.raises(PromptNotFound):
        client.get(TRIAGE)


def test_a_label_that_is_back_is_served_again(missing: Reply, server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    server.reply = missing
    client.get(TRIAGE)
    client.settle()
    server.reply = lookup_reply(lookup_body("New: {{ticket}}", version=2))
    assert (client.get(TRIAGE).source, client.get(TRIAGE).version) == ("server", 2)
    client.settle()
    server.kill()
    assert connect(server.url).get(TRIAGE).version == 2


def test_the_end_of_a_copy_is_logged_once(
    missing: Reply, server: Server, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    server.reply = missing
    with caplog.at_level(logging.WARNING, "promptuary.client"):
        client.get(TRIAGE)
        client.settle()
    (message,) = [record.getMessage() for record in caplog.records if record.name == "promptuary.client"]
    assert "the version in use until now is dropped" in message


@pytest.mark.parametrize("kind", ["label.removed", "prompt.archived", "version.erased", "something.new"])
def test_an_event_ends_the_copy_at_once(kind: str, connect: Connect) -> None:
    server = LiveServer()
    try:
        client = connect(server.url, ttl=3600, follow=True)
        client.get(TRIAGE)
        wait_until(lambda: client.client.following)
        with server.lock:
            del server.registry.labels["production"]
            server.registry.revision += 1
        server.say(sse(kind, server.registry.revision, prompt=TRIAGE, label="production"))
        wait_until(lambda: client.get(TRIAGE, fallback="x").source == "fallback")
        with pytest.raises(PromptNotFound):
            client.get(TRIAGE)
    finally:
        server.kill()


def streaming(registry: FakeRegistry) -> CoreDriver:
    """Return a driver whose stream is connected and has settled."""
    driver = CoreDriver(LookupPolicy(ttl=3600), registry=registry, follow=True)
    driver.connect()
    driver.receive(ready(registry.revision))
    driver.now += 10
    return driver


def test_the_erasing_of_a_version_reaches_a_lookup_by_number() -> None:
    registry = FakeRegistry()
    driver = streaming(registry)
    driver.get(version=1)
    assert driver.receive(sse("version.created", 2, prompt=TRIAGE)) == []
    driver.registry, driver.respond = None, lambda: ERASED
    assert [selector.version for selector in driver.receive(sse("version.erased", 3, prompt=TRIAGE, version=1))] == [1]
    with pytest.raises(PromptNotFound):
        driver.get(version=1)


def test_an_erased_arm_of_a_split_label_ends_alone() -> None:
    driver = CoreDriver(LookupPolicy(ttl=60))
    for number, key in KEYS.items():
        driver.respond = lambda number=number: received(number, SPLIT)
        driver.get(targeting_key=key)
    driver.now += 60
    driver.respond = lambda: ERASED
    driver.get(targeting_key=KEYS[2])
    with pytest.raises(PromptNotFound):
        driver.get(targeting_key=KEYS[2])
    driver.respond = lambda: DOWN
    assert driver.get(targeting_key=KEYS[1]).version == 1


def test_a_missing_split_label_ends_with_all_its_arms() -> None:
    driver = CoreDriver(LookupPolicy(ttl=60))
    for number, key in KEYS.items():
        driver.respond = lambda number=number: received(number, SPLIT)
        driver.get(targeting_key=key)
    driver.now += 60
    driver.respond = lambda: GONE
    driver.get(targeting_key=KEYS[2])
    for key in KEYS.values():
        with pytest.raises(PromptNotFound):
            driver.get(targeting_key=key)


def test_an_older_report_that_a_prompt_is_missing_does_not_end_a_later_answer() -> None:
    driver = CoreDriver()
    early = driver.core.pending_fetch(PRODUCTION)
    driver.now += 1
    driver.core.settle(driver.core.pending_fetch(PRODUCTION), received(2))
    result = driver.core.settle(early, GONE)
    assert driver.core.is_overtaken(early, result)
    driver.respond = lambda: received(2)
    assert driver.get().version == 2
    assert len(driver.requests) == 1  # asked again, to be sure


@pytest.mark.parametrize("refusal", [ServerRefusal(KeyRefused("the key was revoked"))])
def test_a_refused_key_keeps_memory(refusal: FetchOutcome) -> None:
    driver = CoreDriver(LookupPolicy(ttl=0))
    driver.respond = received
    driver.get()
    driver.respond = lambda: refusal
    assert [driver.get().source for _ in range(3)] == ["memory"] * 3
