"""Answers that are not for what was requested, or that readers of JSON would read differently: no client uses or keeps one."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from client.fake_registry import TRIAGE, CoreDriver, FakeRegistry, ready, sse
from client.loopback_server import Connect, Reply, Server, lookup_body, lookup_reply, send
from promptuary.client import InvalidBundle, PromptUnavailable, Reason
from promptuary.client.bundle import read_bundle
from promptuary.client.transport.wire import FetchFailure, HttpResponse, NotModified, ReceivedVersion, read_lookup_response
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import UnusableResponse
from promptuary.prompt.split import divide

SPLIT = divide(f"{TRIAGE}/production", [(2, 50.0), (3, 50.0)])
KEYS = {SPLIT.arm(key).version: key for key in map(str, range(20))}
RIGHT = lookup_body("Right: {{ticket}}", version=2)
TEXT = json.dumps(RIGHT)
JSON = {"Content-Type": "application/json"}


def split_body(version: int, **more: Any) -> dict[str, Any]:
    """Return the body of an arm of the split label."""
    fields = {"variant": f"v{version}", "split": SPLIT.as_json(), **more}
    return lookup_body(f"{version}: {{{{ticket}}}}", version=version, **fields)


WRONG: dict[str, tuple[Reply, str]] = {
    "another label": (send(200, {**RIGHT, "label": "staging"}), "the label 'staging', not for the label 'production'"),
    "no label": (send(200, {**RIGHT, "label": None}), "no label, not for"),
    "another prompt": (send(200, lookup_body(name="support.other")), "the prompt 'support.other', not 'support.triage'"),
    "version 0": (send(200, {**RIGHT, "version": 0}), "its version is 0"),
    "a negative version": (send(200, {**RIGHT, "version": -3}), "its version is -3"),
    "a version that is no integer": (send(200, {**RIGHT, "version": 2.0}), "its version is 2.0"),
    "a version that is true": (send(200, {**RIGHT, "version": True}), "its version is True"),
    "a version that is a text": (send(200, {**RIGHT, "version": "2"}), "its version is '2'"),
    "a duplicate key": (send(200, TEXT.replace('{"name"', '{"version": 1, "name"', 1).encode()), "a key twice"),
    "a duplicate key inside": (send(200, TEXT.replace('"variables": {}', '"variables": {"a": {}, "a": {}}').encode()), "a key"),
    "UTF-16": (send(200, TEXT.encode("utf-16")), "not UTF-8"),
    "UTF-32 without a mark": (send(200, TEXT.encode("utf-32-le")), "it"),
    "a byte order mark": (send(200, TEXT.encode("utf-8-sig")), "not JSON"),
    "Latin-1": (send(200, TEXT.replace("Right", "Ä").encode("latin-1")), "not UTF-8"),
    "NaN": (send(200, TEXT.replace('"revision": 1', '"revision": NaN').encode()), "NaN"),
    "a page": (send(200, RIGHT, {"Content-Type": "text/html"}), "not application/json"),
    "another charset": (send(200, RIGHT, {"Content-Type": "application/json; charset=utf-16"}), "not UTF-8"),
    "an arm without its split": (send(200, {**RIGHT, "variant": "v2"}), "does not follow from its split"),
    "the arm of another key": (send(200, split_body(3 if SPLIT.arm(None).version == 2 else 2)), "from its split"),
    "an arm by another name": (send(200, split_body(SPLIT.arm(None).version, variant="v9")), "does not follow from its split"),
}


@pytest.fixture(params=list(WRONG))
def wrong(request: pytest.FixtureRequest) -> tuple[Reply, str]:
    """A wrong answer, and what the warning contains."""
    return WRONG[request.param]


def test_a_wrong_answer_is_a_failure_and_never_cached(
    wrong: tuple[Reply, str], server: Server, connect: Connect, tmp_path: Path
) -> None:
    server.reply, message = wrong
    client = connect(server.url)
    with pytest.raises(PromptUnavailable) as caught:
        client.get(TRIAGE)
    assert caught.value.reason == Reason.UNUSABLE
    assert message in str(caught.value)
    assert list((tmp_path / "copies").rglob("*.json")) == []
    server.reply = lookup_reply(RIGHT)
    assert client.get(TRIAGE).source == "server"


def test_the_next_tier_answers_in_place_of_a_wrong_answer(
    wrong: tuple[Reply, str], server: Server, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = lookup_reply(lookup_body("Before: {{ticket}}"))
    warm = connect(server.url, ttl=0)
    warm.get(TRIAGE)
    server.reply, message = wrong
    with caplog.at_level(logging.WARNING, "promptuary.client"):
        warm.get(TRIAGE)
        warm.settle()
    assert message in caplog.text
    assert warm.get(TRIAGE).render(ticket="x") == "Before: x"
    restarted = connect(server.url)
    assert (restarted.get(TRIAGE).source, restarted.get(TRIAGE).version) == ("disk", 1)
    assert restarted.get("support.third", fallback="x").source == "fallback"


@pytest.mark.parametrize("headers", [JSON, {"Content-Type": 'application/json; charset="UTF-8"'}, {}])
def test_a_right_answer_is_used(headers: dict[str, str], server: Server, connect: Connect) -> None:
    server.reply = send(200, RIGHT, headers)
    assert connect(server.url).get(TRIAGE).version == 2


def test_a_version_by_number_is_not_led_to_by_a_label(server: Server, connect: Connect) -> None:
    server.reply = send(200, split_body(2))
    prompt = connect(server.url).get(TRIAGE, version=2)
    assert (prompt.version, prompt.label, prompt.variant) == (2, None, None)
    with pytest.raises(PromptUnavailable, match="it is the version 2, not 7"):
        connect(server.url).get(TRIAGE, version=7)


def test_latest_is_a_label_of_its_own(server: Server, connect: Connect) -> None:
    server.reply = send(200, RIGHT)
    with pytest.raises(PromptUnavailable, match="not for the label 'latest'"):
        connect(server.url).get(TRIAGE, label="latest")


def test_a_304_for_another_answer_confirms_nothing() -> None:
    selector = Selector(TRIAGE, "production", None, None)

    def outcome(headers: dict[str, str]) -> object:
        return read_lookup_response(HttpResponse(304, headers, b""), selector, '"a"')

    assert isinstance(outcome({"etag": '"b"'}), FetchFailure)
    assert [outcome({"etag": tag}) for tag in ('"a"', 'W/"a"')] == [NotModified()] * 2
    assert outcome({}) == NotModified()


@pytest.mark.parametrize(
    ("etag", "stored"), [('"a"', '"a"'), ('W/"a"', 'W/"a"'), ("a", None), ('"\xe4"', None), ('"a\x7f"', None)]
)
def test_an_etag_that_no_header_can_carry_is_not_kept(etag: str, stored: str | None) -> None:
    response = HttpResponse(200, {"etag": etag}, TEXT.encode())
    outcome = read_lookup_response(response, Selector(TRIAGE, "production", None, None))
    assert isinstance(outcome, ReceivedVersion)
    assert outcome.etag == stored


@pytest.mark.parametrize(
    "chunk",
    [
        sse("label.moved", 2, prompt=TRIAGE).replace(b"id: 2", b"id: 7"),
        sse("label.moved", 2, prompt=TRIAGE).replace(b"triage", b"tri\xe4ge"),
        sse("label.moved", 2, prompt=TRIAGE).replace(b'{"revision": 2', b'{"revision": 1, "revision": 2'),
        sse("label.moved", -2, prompt=TRIAGE),
        sse("label.moved", 2, prompt="Not A Name"),
        sse("prompt.archived", 2),
        sse("label.moved", 2, prompt=7),
    ],
)
def test_an_event_that_cannot_be_right_ends_the_stream(chunk: bytes) -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry, follow=True)
    driver.connect()
    driver.receive(ready(registry.revision))
    with pytest.raises(UnusableResponse):
        driver.receive(chunk)


@pytest.mark.parametrize("change", [{"name": "support.other"}, {"label": "staging"}, {"version": 0}])
def test_a_copy_on_disk_of_something_else_is_ignored(
    change: dict[str, Any], server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connect(server.url).get(TRIAGE)
    (copy,) = (tmp_path / "copies").rglob("*.json")
    content = json.loads(copy.read_text())
    content["copy"]["body"] = json.dumps({**json.loads(content["copy"]["body"]), **change})
    copy.write_text(json.dumps(content))
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)
    assert "is ignored: it is" in caplog.text or "is ignored: its version" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        '{"prompts": {"a": {"labels": {}, "versions": {}}, "a": {"labels": {}, "versions": {}}}}',
        '{"prompts": {"a": {"labels": {"production": 0}, "versions": {}}}}',
        '{"prompts": {"a": {"labels": {}, "versions": {"01": {}}}}}',
        '{"prompts": {"a": {"labels": {}, "versions": {"\u0663": {}}}}}',
    ],
)
def test_a_bundle_that_could_be_read_in_two_ways_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    for encoding in ("utf-8", "utf-16"):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(InvalidBundle):
            read_bundle(path, print)


def test_a_bundle_of_another_prompts_versions_is_not_used(server: Server, connect: Connect, tmp_path: Path) -> None:
    server.kill()
    bundle = tmp_path / "bundle.json"
    versions = {"1": lookup_body(name="support.other")}
    bundle.write_text(json.dumps({"prompts": {TRIAGE: {"labels": {"production": 1}, "versions": versions}}}))
    with pytest.raises(PromptUnavailable):
        connect(server.url, bundle=bundle).get(TRIAGE)


@pytest.mark.parametrize("body", [{"name": "support.other", "version": 3}, {"name": TRIAGE, "version": 4}])
def test_a_rendering_of_something_else_is_a_failure(body: dict[str, Any], server: Server, connect: Connect) -> None:
    server.reply = send(200, {**body, "text": "x"})
    with pytest.raises(PromptUnavailable, match="not a rendering of the requested"):
        connect(server.url).render(TRIAGE, version=3)
