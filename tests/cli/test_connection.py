"""One command, two ways: straight to the data directory, or over HTTP to a server; and servers that are none."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import WORD, Run

Turn = Callable[[str], Mapping[str, str]]
Answering = Callable[[int, bytes], None]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Turn the commands to a server that gives every request the same answer."""
    answer: list[Any] = [200, b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("PROMPTUARY_URL", f"http://127.0.0.1:{server.server_port}")

    def turn(status: int, body: bytes) -> None:
        answer[:] = [status, body]

    yield turn
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html><body>It works!</body></html>"),
        (200, b""),
        (200, b"\xff\xfe\x00\xd8"),
        (200, b"[" * 200_000),
        (200, b"[]"),
        (200, b'"word"'),
        (200, b"{}"),
        (200, b'{"items": [{}], "next_cursor": null}'),
        (301, b"moved"),
        (404, b"no such page"),
        (422, b'{"detail": [{"loc": ["query"], "msg": "field required"}]}'),
        (500, b'{"detail": "something failed in the server; its log has the error", "code": "internal_error"}'),
        (502, b"<html>Bad Gateway</html>"),
        (503, b'{"detail": "the database does not answer", "code": "unavailable"}'),
    ],
)
def test_a_server_that_is_none_or_is_not_able_to_answer_ends_with_3(
    run: Run, answering: Answering, status: int, body: bytes
) -> None:
    answering(status, body)
    for words in (["prompts"], ["get", "word"]):
        told = run(*words)
        assert (told.code, told.out) == (3, ""), words
        assert told.fault


def test_a_refusal_is_told_with_its_faults(run: Run, answering: Answering) -> None:
    problem = {"detail": "the request cannot be used", "code": "invalid", "errors": [{"path": "k", "message": "is too large"}]}
    answering(422, json.dumps(problem).encode())
    told = run("get", "word")
    assert (told.code, told.fault) == (64, "the request cannot be used: k: is too large")


def test_an_object_in_place_of_a_list_is_told(run: Run, answering: Answering) -> None:
    answering(200, b'{"status": "ok"}')
    assert "`items`" in run("prompts").fault
    assert "`name`" in run("get", "word").fault


def test_a_server_and_the_data_directory_say_the_same(
    run: Run, word: Path, served: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}", "labels": ["staging"]}))
    run("push", word)
    run("label", "set", "word", "production", "2", "--reason", "it is better")
    variables = served("operator")
    reading = [
        ["prompts"],
        ["get", "word"],
        ["get", "word", "--version", "1"],
        ["render", "word", "--var", "text=yes"],
        ["sync", "plan", str(word.parent)],
        ["sync", "apply", str(word.parent)],
        ["push", str(word)],
        ["label", "history", "word", "production"],
        ["key", "list"],
        ["audit", "verify"],
        ["context", "list"],
        ["eval", "list"],
    ]
    over_http = [run(*words, "--json").json for words in reading]
    for name in variables:
        monkeypatch.delenv(name)
    assert [run(*words, "--json").json for words in reading] == over_http
    for words in (["get", "none"], ["get", "word", "--label", "none"], ["label", "set", "word", "latest", "1"], ["get", "A"]):
        here = run(*words)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert run(*words) == here
        for name in variables:
            monkeypatch.delenv(name)


def test_what_one_writes_over_http_the_other_reads_here(
    run: Run, word: Path, served: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = served("author")
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}"}))
    assert run("push", word, "--json").json["version"] == 2
    assert run("label", "set", "word", "staging", 2, "--reason", "try it").code == 0
    for name in variables:
        monkeypatch.delenv(name)
    assert run("get", "word", "--label", "staging", "--json").json["template"] == "New: {{text}}"
    (move,) = run("label", "history", "word", "staging", "--json").json
    assert move["actor"].startswith("key:")


def test_a_key_of_a_lower_role_may_do_less(run: Run, word: Path, served: Turn) -> None:
    served("reader")
    told = run("push", word)
    assert (told.code, "may not" in told.fault) == (64, True)
    assert run("get", "word", "--json").json["version"] == 1
