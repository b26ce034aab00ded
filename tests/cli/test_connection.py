"""The same commands on the data directory and over HTTP; and servers that are not Promptuary's."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import WORD, Run

UseServer = Callable[[str], Mapping[str, str]]
SetAnswer = Callable[[int, bytes], None]


@pytest.fixture
def set_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetAnswer]:
    """A server that gives every request the same answer, to which the commands are directed."""
    answer: list[Any] = [200, b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            """Suppress the log of requests."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("PROMPTUARY_URL", f"http://127.0.0.1:{server.server_port}")

    def replace_answer(status: int, body: bytes) -> None:
        answer[:] = [status, body]

    yield replace_answer
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
def test_an_answer_that_is_not_the_services_ends_with_3(run: Run, set_answer: SetAnswer, status: int, body: bytes) -> None:
    set_answer(status, body)
    for arguments in (["prompts"], ["get", "word"]):
        result = run(*arguments)
        assert (result.code, result.out) == (3, ""), arguments
        assert result.error_line


def test_a_refusal_is_reported_with_its_field_errors(run: Run, set_answer: SetAnswer) -> None:
    problem = {"detail": "the request cannot be used", "code": "invalid", "errors": [{"path": "k", "message": "is too large"}]}
    set_answer(422, json.dumps(problem).encode())
    result = run("get", "word")
    assert (result.code, result.error_line) == (64, "the request cannot be used: k: is too large")


def test_a_response_without_the_expected_field_names_it(run: Run, set_answer: SetAnswer) -> None:
    set_answer(200, b'{"status": "ok"}')
    assert "`items`" in run("prompts").error_line
    assert "`name`" in run("get", "word").error_line


def test_a_server_and_the_data_directory_have_the_same_output(
    run: Run, word: Path, served: UseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}", "labels": ["staging"]}))
    run("push", word)
    run("label", "set", "word", "production", "2", "--reason", "it is better")
    variables = served("operator")
    commands = [
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
    over_http = [run(*arguments, "--json").json for arguments in commands]
    for name in variables:
        monkeypatch.delenv(name)
    assert [run(*arguments, "--json").json for arguments in commands] == over_http
    for arguments in (
        ["get", "none"],
        ["get", "word", "--label", "none"],
        ["label", "set", "word", "latest", "1"],
        ["get", "A"],
    ):
        local = run(*arguments)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert run(*arguments) == local
        for name in variables:
            monkeypatch.delenv(name)


def test_a_write_over_http_is_read_from_the_data_directory(
    run: Run, word: Path, served: UseServer, monkeypatch: pytest.MonkeyPatch
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


def test_a_key_of_a_lower_role_may_do_less(run: Run, word: Path, served: UseServer) -> None:
    served("reader")
    result = run("push", word)
    assert (result.code, "may not" in result.error_line) == (64, True)
    assert run("get", "word", "--json").json["version"] == 1


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_a_url_that_ends_in_the_prefix_of_the_routes_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("PROMPTUARY_URL", f"http://127.0.0.1:8400{path}")
    result = run("prompts")
    assert result.code == 64
    assert "PROMPTUARY_URL: ends in /v1, which is added to it; set it to http://127.0.0.1:8400" in result.error_line
