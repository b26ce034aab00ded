"""Every bad input gets a clear problem+json, and leaves nothing behind."""

import base64
import gzip
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anyio
import pytest

from promptuary.access.auth.request import LOCAL_PROJECT

VERSIONS = "/v1/prompts/support.triage/versions"
GOOD = {"type": "text", "template": "Hi {{name}}"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(sqlite: Any, local: Any) -> Iterator[None]:
    yield
    assert local.get("/v1/prompts").json() == {"items": [], "next_cursor": None}
    assert local.get("/v1/audit").json()["items"] == []
    assert [project["name"] for project in local.get("/v1/projects").json()["items"]] == ["default"]


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a whole RFC 9457 problem, and give it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:promptuary:problem:{code}")
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.headers["x-request-id"]) == 32
    return body


# --- 400: what cannot be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "text", "template": "x"',
        b'{"type": "text", "template": "\xff"}',
        json.dumps(GOOD).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b'{"type": "text", "template": "x", "template": "y"}',
        b'{"type": "text", "template": "x", "model": {"name": "m", "temperature": NaN}}',
        b'{"type": "text", "template": "x", "model": {"name": "m", "temperature": -Infinity}}',
        b'{"a":' * 100_000,
        b'{"type": "text", "template": "x", "response_format": {"n": ' + b"9" * 5000 + b"}}",
        b"not json",
    ],
    ids=[
        "truncated",
        "bad UTF-8",
        "UTF-16",
        "byte order mark",
        "duplicate key",
        "NaN",
        "Infinity",
        "100,000 deep",
        "5,000 digits",
        "no JSON",
    ],
)
def test_a_body_that_cannot_be_read_is_400(local: Any, body: bytes) -> None:
    check(local.post(VERSIONS, content=body, headers=JSON), 400, "malformed_body")


@pytest.mark.parametrize("cursor", ["forged", "é", base64.b64encode(b"7").decode(), base64.b64encode(b'"\\u0000"').decode()])
def test_a_forged_cursor_is_400(local: Any, cursor: str) -> None:
    check(local.get("/v1/prompts", params={"cursor": cursor}), 400, "invalid_cursor")


@pytest.mark.parametrize("query", ["search=%00", "label=a%00", "cursor=%00"])
def test_a_nul_in_the_query_is_400(local: Any, query: str) -> None:
    check(local.get(f"/v1/prompts?{query}"), 400, "invalid_query")


@pytest.mark.parametrize("path", ["/v1/prompts?search=\xe9", "/v1/prompts/?search=\xb2", "/healthz?\xff"])
def test_a_query_that_is_not_percent_encoded_is_400(app: Any, path: str) -> None:
    check(send(app, "GET", path, headers=[HOST]), 400, "invalid_query")


class Answer:
    """What an app sent, as httpx would show it."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self.status_code = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.text = b"".join(message.get("body", b"") for message in messages[1:]).decode()

    def json(self) -> Any:
        return json.loads(self.text)


def send(
    app: Any, method: str, path: str, *, headers: Sequence[tuple[bytes, bytes]], chunks: Sequence[bytes] = (b"",)
) -> Answer:
    """Call an app with just these bytes; an HTTP client would tidy the path and the headers up."""
    messages: list[Any] = []
    last = len(chunks) - 1
    waiting = [{"type": "http.request", "body": chunk, "more_body": number < last} for number, chunk in enumerate(chunks)]

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def out(message: Any) -> None:
        messages.append(message)

    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw.replace("%2e", ".").replace("%2E", ".").replace("%2F", "/").replace("%2f", "/").replace("%00", "\x00"),
        "raw_path": raw.encode(),
        "query_string": query.encode("latin-1"),
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8400),
        LOCAL_PROJECT: "default",
    }
    anyio.run(app, scope, receive, out)
    return Answer(messages)


HOST = (b"host", b"127.0.0.1:8400")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/prompts/support%2Ftriage",
        "/v1/prompts/support%2ftriage/versions",
        "/v1/prompts/a%00b",
        "/v1/prompts/../../etc/passwd",
        "/v1/prompts/%2e%2e",
        "/v1/prompts/%2E%2e/versions",
        "/v1/prompts/..",
    ],
)
def test_a_path_with_an_encoded_slash_a_nul_or_dots_is_400(app: Any, path: str) -> None:
    check(send(app, "GET", path, headers=[HOST]), 400, "invalid_path")


def test_an_encoded_slash_is_called_one(app: Any) -> None:
    detail = send(app, "GET", "/v1/prompts/support%2Ftriage", headers=[HOST]).json()["detail"]
    assert "`%2F`" in detail
    assert "support.triage" in detail
    assert "body" not in detail


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example", b"evil.example:8400", b"", b"localhost@evil.example", b"[::2]:8400"]
)
def test_a_host_that_is_not_ours_is_400(app: Any, host: bytes) -> None:
    check(send(app, "GET", "/healthz", headers=[(b"host", host)]), 400, "invalid_host")


def test_a_request_without_a_host_is_400(app: Any) -> None:
    check(send(app, "GET", "/healthz", headers=[]), 400, "invalid_host")


@pytest.mark.parametrize("host", [b"127.0.0.1", b"127.0.0.1:8400", b"localhost:9", b"LOCALHOST", b"[::1]", b"[::1]:8400"])
def test_loopback_by_any_of_its_names_is_answered(app: Any, host: bytes) -> None:
    assert send(app, "GET", "/healthz", headers=[(b"host", host)]).status_code == 200


def test_a_client_that_leaves_before_its_body_is_whole_changes_nothing(app: Any) -> None:
    part = json.dumps(GOOD).encode()[:10]
    headers = [HOST, (b"content-type", b"application/json")]
    messages: list[Any] = []
    waiting = [{"type": "http.request", "body": part, "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return waiting.pop(0)

    async def out(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": VERSIONS,
        "query_string": b"",
        "headers": headers,
        LOCAL_PROJECT: "default",
    }
    anyio.run(app, scope, receive, out)
    check(Answer(messages), 400, "malformed_body")


# --- 404, 405 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v2/prompts"), ("GET", "/v1"), ("POST", "/v1/nothing"), ("GET", "/v1/prompts/a/b/c/d")],
)
def test_a_path_that_does_not_exist_is_404(local: Any, method: str, path: str) -> None:
    check(local.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/prompts/unknown",
        "/v1/prompts/unknown/versions",
        "/v1/prompts/unknown/versions/1",
        "/v1/prompts/unknown/labels/production/history",
    ],
)
def test_what_is_not_there_is_404(local: Any, path: str) -> None:
    assert "there is no prompt 'unknown' in the project 'default'" in check(local.get(path), 404, "not_found")["detail"]


def test_a_key_that_is_not_there_is_404(local: Any) -> None:
    check(local.delete("/v1/keys/unknown"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"{VERSIONS}/1"),
        ("PUT", f"{VERSIONS}/1"),
        ("DELETE", f"{VERSIONS}/1"),
        ("DELETE", "/v1/prompts/support.triage"),
        ("POST", "/v1/prompts/support.triage/labels/production"),
        ("DELETE", "/v1/audit"),
    ],
)
def test_a_method_that_a_path_does_not_take_is_405_and_the_others_are_named(local: Any, method: str, path: str) -> None:
    answer = local.request(method, path, **({"json": {}} if method in ("PATCH", "PUT", "POST") else {}))
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


# --- 413, 415 -----------------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_413_by_its_length_alone(local: Any, settings: Any) -> None:
    body = json.dumps(GOOD | {"message": "x" * settings.body_limit}).encode()
    assert "1048576 bytes" in check(local.post(VERSIONS, content=body, headers=JSON), 413, "body_too_large")["detail"]


def test_a_chunked_body_over_the_limit_is_413_as_soon_as_it_passes(app: Any, settings: Any) -> None:
    headers = [HOST, (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    chunks = [b"x" * 65536] * (settings.body_limit // 65536 + 1)
    check(send(app, "POST", VERSIONS, headers=headers, chunks=chunks), 413, "body_too_large")


def test_a_body_longer_than_it_said_is_413_too(app: Any, settings: Any) -> None:
    headers = [HOST, (b"content-type", b"application/json"), (b"content-length", b"10")]
    check(send(app, "POST", VERSIONS, headers=headers, chunks=[b"x" * (settings.body_limit + 1)]), 413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"type=text&template=x", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"--b\r\n\r\n--b--", {"Content-Type": "multipart/form-data; boundary=b"}),
        (pickle.dumps(GOOD), {"Content-Type": "application/octet-stream"}),
        (gzip.compress(json.dumps(GOOD).encode()), JSON | {"Content-Encoding": "gzip"}),
        (json.dumps(GOOD).encode(), {"Content-Type": "text/plain"}),
        (json.dumps(GOOD).encode(), {}),
        (b"type: text", {"Content-Type": "application/yaml"}),
    ],
    ids=["form", "multipart", "pickle", "gzip", "text", "nothing said", "YAML"],
)
def test_what_is_not_plain_json_is_415(local: Any, body: bytes, headers: dict[str, str]) -> None:
    check(local.post(VERSIONS, content=body, headers=headers), 415, "unsupported_body")


def test_json_with_a_charset_is_plain_json(local: Any) -> None:
    answer = local.post(VERSIONS, content=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    check(answer, 422, "invalid_request")


# --- 422: what can be read and is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ([], [""]),
        ("text", [""]),
        ({}, ["type", "template"]),
        (GOOD | {"id": 7, "version": 9, "is_admin": True}, ["id", "version", "is_admin"]),
        (GOOD | {"template": "a\x00b"}, ["template"]),
        (GOOD | {"template": "\ud800"}, ["template"]),
        (GOOD | {"response_format": {"n": 2**63}}, ["response_format.n"]),
        (GOOD | {"model": {"name": "echo:", "seed": 2**53}}, ["model"]),
        (GOOD | {"template": "{{name"}, ["template"]),
        (GOOD | {"template": "{{#a}}"}, ["template"]),
        (GOOD | {"template": "x" * (256 * 1024 + 1)}, ["template"]),
        (GOOD | {"template": "{a.__class__}", "format": "f-string"}, ["template"]),
        (GOOD | {"template": "{a[0]}", "format": "f-string"}, ["template"]),
        (GOOD | {"template": "{x!r:>9999}", "format": "f-string"}, ["template"]),
        (GOOD | {"template": "{{ ''.__class__ }}", "format": "jinja2"}, ["format"]),
        (GOOD | {"variables": {f"v{number}": {} for number in range(201)}}, ["variables"]),
        (GOOD | {"template": " ".join(f"{{{{v{number}}}}}" for number in range(201))}, ["variables"]),
        (GOOD | {"variables": {"unused": {}}}, ["variables.unused"]),
        (GOOD | {"variables": {"name": {"type": "uuid"}}}, ["variables.name.type"]),
        (GOOD | {"variables": {"name": {"pattern": "(a+)+$"}}}, ["variables.name.pattern"]),
        (GOOD | {"variables": {"name": {"$ref": "https://evil.example/s"}}}, ["variables.name.$ref"]),
        (GOOD | {"variables": {"name": {"type": "array", "items": {"$ref": "#/items"}}}}, ["variables.name.items.$ref"]),
        (GOOD | {"variables": {"name": {"type": "string", "items": {}}}}, ["variables.name"]),
        (GOOD | {"variables": {"name": {"type": "integer", "default": "x"}}}, ["variables.name"]),
        (GOOD | {"template": "{{#name}}" * 33 + "{{/name}}" * 33}, ["template"]),
        (GOOD | {"template": "{{" + "a." * 40 + "a}}"}, ["template"]),
        (GOOD | {"tools": [1]}, ["tools.0"]),
        (GOOD | {"tools": [{"type": "function", "function": {}}]}, ["tools.0.function.name"]),
        (GOOD | {"tools": [{"name": "a"}, {"name": "a"}]}, ["tools.1.name"]),
        (GOOD | {"tools": [{"name": "a", "parameters": {"$ref": "https://evil.example/s"}}]}, ["tools.0.parameters"]),
        (GOOD | {"tools": [{"name": f"t{number}"} for number in range(129)]}, ["tools"]),
        (GOOD | {"response_format": "json"}, ["response_format"]),
        (GOOD | {"response_format": {"$ref": "https://evil.example/s"}}, ["response_format"]),
        (GOOD | {"response_format": {"$ref": "#"}}, ["response_format"]),
        (GOOD | {"response_format": {"type": "json_schema"}}, ["response_format.json_schema"]),
        (GOOD | {"response_format": {"type": "objekt"}}, ["response_format.type"]),
        (GOOD | {"model": {"name": "m", "temperature": 2.1}}, ["model.temperature"]),
        (GOOD | {"model": {"name": "m", "max_tokens": 0}}, ["model.max_tokens"]),
        (GOOD | {"labels": ["latest"]}, ["labels.latest"]),
        (GOOD | {"labels": ["../x"]}, ["labels.0"]),
        (GOOD | {"tags": [""]}, ["tags.0"]),
        (GOOD | {"message": 3}, ["message"]),
        ({"type": "chat", "template": [{"role": "user", "content": "x", "nickname": "y"}]}, ["template.0.nickname"]),
    ],
)  # fmt: skip
def test_a_version_that_is_wrong_is_422_and_every_error_has_its_path(local: Any, body: Any, paths: list[str]) -> None:
    answer = local.post(VERSIONS, content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code == 422
    problem = check(answer, 422, answer.json()["code"])
    assert problem["code"] in ("invalid_request", "invalid_prompt")
    assert [error["path"] for error in problem["errors"]] == paths
    assert all(error["message"] for error in problem["errors"])


@pytest.mark.parametrize(
    "name", ["A", "a%20b", "-a", "a-", "a" * 129, "%E2%80%AEabc", "a%E2%80%8Bb", "%D0%B0", "a%0A", "a%5Cb", "%25"]
)
def test_a_name_that_is_none_is_422(local: Any, name: str) -> None:
    problem = check(local.post(f"/v1/prompts/{name}/versions", json=GOOD), 422, "invalid_request")
    assert [error["path"] for error in problem["errors"]] == ["name"]


@pytest.mark.parametrize(
    ("method", "path", "body", "paths"),
    [
        ("PUT", "/v1/prompts/a/labels/production", {"version": 0}, ["version"]),
        ("PUT", "/v1/prompts/a/labels/production", {"version": "1"}, ["version"]),
        ("PUT", "/v1/prompts/a/labels/production", {"version": True}, ["version"]),
        ("PUT", "/v1/prompts/a/labels/production", {"version": 2**31}, ["version"]),
        ("PUT", "/v1/prompts/a/labels/production", {}, [""]),
        ("PUT", "/v1/prompts/a/labels/latest", {"version": 1}, ["labels.latest"]),
        ("PUT", "/v1/prompts/a/labels/Prod", {"version": 1}, ["label"]),
        ("POST", "/v1/prompts/a/labels/production/rollback", {"to": "1"}, ["to"]),
        ("POST", "/v1/projects", {"name": "../x"}, ["name"]),
        ("POST", "/v1/keys", {"name": "k", "role": "god"}, ["role"]),
        ("POST", "/v1/keys", {"name": "", "role": "reader", "days": 0}, ["name", "days"]),
        ("GET", "/v1/prompts?limit=0", None, ["limit"]),
        ("GET", "/v1/prompts?limit=ten", None, ["limit"]),
        ("GET", "/v1/prompts/a?version=0", None, ["version"]),
        ("GET", "/v1/prompts/a?version=99999999999999999999", None, ["version"]),
        ("GET", "/v1/prompts/a/versions/0", None, ["number"]),
        ("GET", "/v1/prompts/a/versions/x", None, ["number"]),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_422_with_its_path(local: Any, method: str, path: str, body: Any, paths: list[str]) -> None:
    problem = check(local.request(method, path, **({} if body is None else {"json": body})), 422, "invalid_request")
    assert [error["path"] for error in problem["errors"]] == paths


def test_both_a_label_and_a_version_are_422(local: Any) -> None:
    check(local.get("/v1/prompts/a?label=latest&version=1"), 422, "invalid_request")


def test_a_name_that_is_taken_is_409(local: Any) -> None:
    check(local.post("/v1/projects", json={"name": "default"}), 409, "already_exists")


def test_no_problem_repeats_a_secret_that_was_sent(local: Any, key: Callable[..., str], api: Any) -> None:
    secret = "hunter2hunter2"
    for answer in (
        local.post(VERSIONS, json=GOOD | {"type": secret, "model": {"name": "m", "temperature": secret}}),
        local.post(VERSIONS, content=f'{{"{secret}'.encode(), headers=JSON),
        api.get("/v1/self", headers={"Authorization": f"Bearer {secret}"}),
        local.get("/v1/prompts", params={"cursor": secret}),
    ):
        assert answer.status_code >= 400
        assert secret not in answer.text


# --- header fields, methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        (b"host", b"127.0.0.1:8401"),
        (b"authorization", b"Bearer b"),
        (b"x-api-key", b"b"),
        (b"content-type", b"text/csv"),
        (b"idempotency-key", b"b"),
        (b"last-event-id", b"2"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/prompts/support.triage", VERSIONS, "/healthz", "/v1/stream"])
def test_a_header_field_that_must_occur_once_and_occurs_twice_is_400(app: Any, path: str, field: tuple[bytes, bytes]) -> None:
    headers = [HOST, (b"authorization", b"Bearer a"), (field[0], field[1]), (field[0].title(), field[1])]
    problem = check(send(app, "GET", path, headers=headers), 400, "invalid_header")
    assert field[0].decode().title() in problem["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/prompts/a/labels/b", "DELETE, GET, PUT"),
        ("/v1/datasets/a/versions", "POST"),
        ("/v1/keys", "GET, POST"),
        ("/healthz", "GET"),
    ],
)
def test_a_405_names_every_method_of_the_path(local: Any, path: str, allowed: str) -> None:
    response = local.patch(path, json={})
    check(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed
    every = {name for name in ("GET", "POST", "PUT", "DELETE") if local.request(name, path).status_code != 405}
    assert set(allowed.split(", ")) == every


# --- many errors --------------------------------------------------------------------------------------------------------


def test_an_answer_lists_at_most_a_hundred_errors(local: Any) -> None:
    nul_keys = "{" + ", ".join(f'"k{number}\\u0000": 1' for number in range(30_000)) + "}"
    unknown = json.dumps({f"k{number}": 1 for number in range(30_000)})
    for body in (nul_keys, unknown):
        response = local.post(VERSIONS, content=body.encode(), headers=JSON)
        problem = check(response, 422, "invalid_request")
        assert len(problem["errors"]) == 100
        assert "the first 100 errors are listed" in problem["detail"]


def test_the_key_is_checked_before_the_body_is_read(app: Any) -> None:
    """A caller without a key learns nothing of the body, and none of it is read."""
    headers = [HOST, (b"content-type", b"application/json"), (b"content-length", b"1000")]
    received = 0

    async def receive() -> Any:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"\x00", "more_body": True}

    messages: list[Any] = []

    async def out(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": VERSIONS,
        "raw_path": VERSIONS.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8400),
    }
    anyio.run(app, scope, receive, out)
    assert messages[0]["status"] == 401
    assert received == 0
