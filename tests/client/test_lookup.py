"""Both clients against a real server on loopback, in every way in which it can fail."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from client.loopback_server import (
    KEY,
    Connect,
    Reply,
    Server,
    black_hole,
    dripping,
    hanging_up,
    lookup_body,
    lookup_reply,
    problem,
    send,
)
from promptuary.client import KeyRefused, PromptNotFound, PromptUnavailable, Reason, RequestRefused
from promptuary.prompt.errors import Invalid, InvalidPrompt, InvalidVariables

TRIAGE = "support.triage"
CHAT = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "{{ticket}}"}]
BROKEN: dict[str, Reply] = {
    "black hole": black_hole,
    "slow body": dripping,
    "hangs up": hanging_up,
    "not json": send(200, b"<html>welcome to the hotel</html>"),
    "json of another kind": send(200, []),
    "half a version": send(200, {"name": TRIAGE, "version": 1}),
    "wrong digest": send(200, {**lookup_body(), "template": "Obey: {{ticket}}"}),
    "another prompt": send(200, lookup_body(name="support.other")),
    "not utf-8": send(200, b"\xff\xfe\x00"),
    "500": send(500, {"code": "internal_error", "detail": "oh"}),
    "redirect": send(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "503": send(503, {"code": "unavailable"}, {"Retry-After": "300"}),
    "429": send(429, b""),
    "a proxy's 404": send(404, b"404 page not found"),
}
BLACK = {"black hole", "slow body"}


@pytest.fixture(params=list(BROKEN))
def broken(request: pytest.FixtureRequest) -> str:
    """A way in which the server fails, by name."""
    return request.param


def deadline_for(way: str) -> float:
    """Return a short deadline where the server never answers, so that no test depends on what arrives within it."""
    return 0.3 if way in BLACK else 20.0


def test_a_lookup_comes_from_the_server_and_then_from_memory(server: Server, connect: Connect) -> None:
    client = connect(server.url)
    started = time.monotonic()
    first, second = client.get(TRIAGE), client.get(TRIAGE)
    assert (first.source, second.source) == ("server", "memory")
    assert (first.name, first.version, first.label, first.labels) == (TRIAGE, 1, "production", ("production",))
    assert first.digest == lookup_body()["digest"]
    assert not second.stale
    assert second.age is not None
    assert 0 <= second.age <= time.monotonic() - started
    assert second.render(ticket="My card") == "Sort: My card"
    assert [path for path, _ in server.requests] == [f"/v1/prompts/{TRIAGE}?label=production"]


def test_the_key_goes_into_the_header_and_the_selector_into_the_query(server: Server, connect: Connect) -> None:
    client = connect(server.url)
    client.get(TRIAGE, label="staging", targeting_key="user 42&x")
    server.reply = lookup_reply(lookup_body(version=7))
    client.get(TRIAGE, version=7)
    (first, headers), (second, _) = server.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert first == f"/v1/prompts/{TRIAGE}?label=staging&targeting_key=user+42%26x"
    assert second == f"/v1/prompts/{TRIAGE}?version=7"


def test_the_environment_says_where_the_server_is_and_what_the_key_is(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_URL", server.url + "/")
    monkeypatch.setenv("PROMPTUARY_API_KEY", "pmt_from_env")
    client = connect(None, api_key=None)
    monkeypatch.setenv("PROMPTUARY_URL", "http://127.0.0.1:1")
    assert client.get(TRIAGE).source == "server"
    assert server.requests[0][1]["Authorization"] == "Bearer pmt_from_env"


def test_a_stale_answer_is_given_at_once_and_renewed_with_its_etag(server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    stale = client.get(TRIAGE)
    client.settle()
    assert (stale.source, stale.stale) == ("memory", True)
    assert "If-None-Match" not in server.requests[0][1]
    assert server.requests[1][1]["If-None-Match"].startswith('"')
    server.reply = lookup_reply(lookup_body("New: {{ticket}}", version=2))
    client.get(TRIAGE)
    client.settle()
    assert client.get(TRIAGE).version == 2


def test_a_warm_client_answers_whatever_the_server_does(broken: str, server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0, breaker_failures=2)
    client.get(TRIAGE)
    server.reply = BROKEN[broken]
    client.set_deadline(deadline_for(broken))
    for _ in range(4):
        prompt = client.get(TRIAGE)
        assert (prompt.source, prompt.version) == ("memory", 1)
        client.settle()


@pytest.mark.parametrize("no", [problem(401, "not_authenticated"), problem(403, "forbidden"), problem(422, "invalid_request")])
def test_a_warm_client_answers_when_the_server_refuses(no: Reply, server: Server, connect: Connect) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    server.reply = no
    for _ in range(3):
        assert client.get(TRIAGE).version == 1
        client.settle()


def test_a_cold_client_gives_the_fallback_within_the_deadline(broken: str, server: Server, connect: Connect) -> None:
    server.reply = BROKEN[broken]
    client = connect(server.url, deadline=deadline_for(broken))
    prompt = client.get(TRIAGE, fallback="Sort this: {{ticket}}")
    assert (prompt.source, prompt.version, prompt.age, prompt.stale) == ("fallback", None, None, True)
    assert prompt.render(ticket="a", tone="unused by the fallback") == "Sort this: a"


def test_a_cold_client_without_a_fallback_says_why(broken: str, server: Server, connect: Connect) -> None:
    server.reply = BROKEN[broken]
    client = connect(server.url, deadline=deadline_for(broken))
    with pytest.raises(PromptUnavailable, match="no copy, bundle or fallback") as caught:
        client.get(TRIAGE)
    reasons = {
        **dict.fromkeys(BLACK, Reason.TIMEOUT),
        **dict.fromkeys(["503", "429"], Reason.BUSY),
        **dict.fromkeys(["500", "redirect", "a proxy's 404"], Reason.SERVER_ERROR),
        "hangs up": Reason.CONNECTION,
    }
    assert caught.value.reason == reasons.get(broken, Reason.UNUSABLE)


def test_a_chat_can_be_the_fallback(server: Server, connect: Connect) -> None:
    server.kill()
    prompt = connect(server.url).get(TRIAGE, fallback=CHAT)
    assert prompt.render(ticket="Hi") == [CHAT[0], {"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("fallback", ["{{open", [{"role": "nobody", "content": "x"}], [], 7])
def test_a_fallback_that_does_not_parse_is_reported_while_the_server_still_answers(
    fallback: Any, server: Server, connect: Connect
) -> None:
    with pytest.raises(InvalidPrompt, match="fallback"):
        connect(server.url).get(TRIAGE, fallback=fallback)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "not_found", PromptNotFound),
        (401, "not_authenticated", KeyRefused),
        (403, "forbidden", KeyRefused),
        (422, "invalid_request", RequestRefused),
    ],
)
def test_a_no_is_an_answer_and_not_an_outage(
    status: int, code: str, error: type[Exception], server: Server, connect: Connect
) -> None:
    connect(server.url).get(TRIAGE)  # leaves a copy on disk, which must not stand in for a no
    server.reply = problem(status, code)
    client = connect(server.url, breaker_failures=1)
    for _ in range(2):
        with pytest.raises(error, match=f"it is {code}"):
            client.get(TRIAGE)
    assert client.get(TRIAGE, fallback="x").source == "fallback"
    assert len(server.requests) == 4


def test_why_a_fallback_was_given_is_logged_once_and_without_the_key(
    server: Server, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = problem(404, "not_found")
    client = connect(server.url)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            client.get(TRIAGE, fallback="x", targeting_key="ada@example.org")
    messages = [record.getMessage() for record in caplog.records if record.name == "promptuary.client"]
    assert messages == [f"prompt '{TRIAGE}' (label 'production'): it is not_found; using the fallback"]
    assert KEY not in caplog.text
    assert KEY not in repr(client.client) + repr(vars(client.client))


def test_a_restart_without_the_server_finds_the_copy_on_disk(broken: str, server: Server, connect: Connect) -> None:
    connect(server.url).get(TRIAGE)
    server.reply = BROKEN[broken]
    client = connect(server.url, deadline=deadline_for(broken))
    prompt = client.get(TRIAGE, fallback="x")
    assert (prompt.source, prompt.version) == ("disk", 1)
    assert prompt.age is not None
    assert client.get(TRIAGE).source == "disk"


def test_a_copy_from_disk_is_confirmed_once_the_server_is_back(server: Server, connect: Connect) -> None:
    connect(server.url).get(TRIAGE)
    reply, server.reply = server.reply, BROKEN["500"]
    client = connect(server.url)
    assert client.get(TRIAGE).source == "disk"
    server.reply = reply
    client.get(TRIAGE)
    client.settle()
    assert client.get(TRIAGE).source == "memory"
    assert server.requests[-1][1]["If-None-Match"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"body": {}}', None])
def test_a_damaged_copy_is_reported_and_passed_over(
    damage: bytes | None, server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connect(server.url).get(TRIAGE)
    (copy,) = (tmp_path / "copies").rglob("*.json")
    copy.write_bytes(copy.read_bytes().replace(b"Sort", b"Obey") if damage is None else damage)
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)
    assert "is ignored" in caplog.text


def test_another_key_does_not_see_the_copies(server: Server, connect: Connect) -> None:
    connect(server.url).get(TRIAGE)
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url, api_key="pmt_k2_another").get(TRIAGE)


def test_copies_are_the_users_alone_and_hold_no_key(server: Server, connect: Connect, tmp_path: Path) -> None:
    connect(server.url).get(TRIAGE, targeting_key="ada@example.org")
    root = tmp_path / "copies"
    assert [path.stat().st_mode & 0o777 for path in (root, *root.iterdir())] == [0o700, 0o700]
    (copy,) = root.rglob("*.json")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert KEY not in copy.read_text()
    assert "ada" not in copy.read_text()


def test_a_folder_that_cannot_be_written_costs_only_the_copies(
    server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    client = connect(server.url, cache_dir=tmp_path / "file" / "copies")
    assert client.get(TRIAGE).source == "server"
    client.settle()
    assert "PROMPTUARY_CACHE_DIR" in caplog.text


def test_a_copy_that_cannot_be_read_costs_only_the_copy(
    server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connect(server.url).get(TRIAGE)
    (copy,) = (tmp_path / "copies").rglob("*.json")
    copy.unlink()
    copy.mkdir()
    server.kill()
    assert connect(server.url).get(TRIAGE, fallback="x").source == "fallback"
    assert "PROMPTUARY_CACHE_DIR" in caplog.text


def test_a_copy_that_was_deleted_is_written_again_with_the_next_version(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.url, ttl=0)
    client.get(TRIAGE)
    client.settle()
    (copy,) = (tmp_path / "copies").rglob("*.json")
    copy.unlink()
    client.get(TRIAGE)  # 304: what was confirmed is not there
    client.settle()
    server.reply = lookup_reply(lookup_body("New", version=2))
    client.get(TRIAGE)
    client.settle()
    assert copy.exists()


def test_nothing_is_kept_on_disk_when_it_is_off(server: Server, connect: Connect, tmp_path: Path) -> None:
    connect(server.url, disk=False).get(TRIAGE)
    assert not (tmp_path / "copies").exists()


def test_a_bundle_stands_in_for_a_server_that_was_never_there(connect: Connect, tmp_path: Path, server: Server) -> None:
    server.kill()
    versions = {str(number): lookup_body(f"{number}: {{{{ticket}}}}", version=number) for number in (1, 2, 10)}
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps({"prompts": {TRIAGE: {"labels": {"production": 2}, "versions": versions}}}))
    client = connect(server.url, bundle=bundle, breaker_failures=1)
    prompt = client.get(TRIAGE)
    assert (prompt.source, prompt.version, prompt.label, prompt.age, prompt.stale) == ("bundle", 2, "production", None, True)
    assert client.get(TRIAGE).source == "bundle"
    assert client.get(TRIAGE, label="latest").version == 10
    assert client.get(TRIAGE, version=1).version == 1
    assert client.get(TRIAGE, label="staging", fallback="x").source == "fallback"


def test_the_circuit_opens_and_a_cold_get_no_longer_waits(server: Server, connect: Connect) -> None:
    server.reply = black_hole
    client = connect(server.url, deadline=0.2, breaker_failures=2, breaker_cool_down=3600)
    for name in ("a", "b"):
        client.get(name, fallback="x")
    client.settle()
    with pytest.raises(PromptUnavailable) as caught:
        client.get("c")
    assert caught.value.reason == Reason.CIRCUIT_OPEN
    assert len(server.requests) == 2


def test_a_server_that_asks_to_be_left_alone_is(server: Server, connect: Connect) -> None:
    server.reply = BROKEN["503"]
    client = connect(server.url)
    for _ in range(3):
        assert client.get(TRIAGE, fallback="x").source == "fallback"
    assert len(server.requests) == 1


def test_one_request_serves_all_who_ask_the_same_at_once(server: Server, connect: Connect) -> None:
    client = connect(server.url)
    released, reply = threading.Event(), server.reply

    def slow(handler: Any) -> None:
        released.wait(60)
        reply(handler)

    server.reply = slow
    prompts: list[Any] = []
    threads = [threading.Thread(target=lambda: prompts.append(client.get(TRIAGE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    released.set()
    for thread in threads:
        thread.join(60)
    assert len(prompts) == 8
    assert len(server.requests) == 1


def test_an_answer_without_a_variant_holds_for_every_targeting_key(server: Server, connect: Connect) -> None:
    client = connect(server.url)
    for key in ("ada", "bob", None):
        client.get(TRIAGE, targeting_key=key)
    assert len(server.requests) == 1


def test_a_closed_client_answers_from_memory_alone(server: Server, connect: Connect) -> None:
    client = connect(server.url, disk=False)
    client.get(TRIAGE)
    client.shut()
    assert client.get(TRIAGE).source == "memory"
    for call in (client.get, client.render):
        with pytest.raises(PromptUnavailable) as caught:
            call("support.other")
        assert caught.value.reason == Reason.CLOSED


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "../x"},
        {"name": ""},
        {"name": TRIAGE, "label": "Not A Label"},
        {"name": TRIAGE, "version": 0},
        {"name": TRIAGE, "version": 1, "label": "production"},
        {"name": TRIAGE, "targeting_key": 42},
        {"name": TRIAGE, "targeting_key": "x" * 1001},
    ],
)
def test_a_lookup_with_invalid_arguments_is_not_sent(arguments: dict[str, Any], server: Server, connect: Connect) -> None:
    client = connect(server.url)
    with pytest.raises(Invalid):
        client.get(**arguments)
    assert server.requests == []


def test_the_server_renders_with_context(server: Server, connect: Connect) -> None:
    passage = {"text": "p", "score": 0.9, "document": "d", "chunk": 0, "digest": "sha256:0"}
    messages = [{"role": "user", "content": "Hi"}]
    server.reply = send(200, {"messages": messages, "passages": [passage], "manifest": {"a": 1}, "version": 3})
    rendering = connect(server.url).render(TRIAGE, variables={"ticket": "x"}, query="card", targeting_key="ada")
    assert (rendering.messages, rendering.passages, rendering.version) == (messages, [passage], 3)
    assert server.requests == [
        (
            f"/v1/prompts/{TRIAGE}/render",
            {"variables": {"ticket": "x"}, "label": "production", "targeting_key": "ada", "query": "card"},
        )
    ]


def test_a_rendering_that_the_server_refuses_names_the_variable(server: Server, connect: Connect) -> None:
    server.reply = problem(422, "invalid_variables", errors=[{"path": "ticket", "message": "is required and has no value"}])
    with pytest.raises(InvalidVariables, match="ticket: is required"):
        connect(server.url).render(TRIAGE)


def test_a_rendering_that_does_not_come_is_an_error_within_its_deadline(broken: str, server: Server, connect: Connect) -> None:
    server.reply = BROKEN[broken]
    with pytest.raises(PromptUnavailable, match="was not rendered"):
        connect(server.url).render(TRIAGE, deadline=deadline_for(broken))
