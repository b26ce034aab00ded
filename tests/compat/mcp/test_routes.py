"""`POST /mcp` over HTTP: who may call it, what is refused before the protocol, and what no error shows."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.compat.mcp.prompts import McpPrompts

pytestmark = pytest.mark.process
LIST = {"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "prompts/list"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def test_a_request_without_a_valid_key_is_a_problem(api: Any, key: Callable[..., str]) -> None:
    for headers in ({}, {"Authorization": "Bearer pmt_nothing"}, {"Authorization": "Basic cGs6c2s="}):
        response = api.post("/mcp", json=LIST, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert api.post(f"/mcp?key={key('reader')}", json=LIST).json()["code"] == "not_authenticated"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"content": b"{"}, 400, "malformed_body"),
        ({"content": b""}, 400, "malformed_body"),
        ({"content": b'{"jsonrpc":"2.0","jsonrpc":"2.0"}'}, 400, "malformed_body"),
        ({"content": b"[]"}, 422, "invalid_request"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_body"),
        ({"content": b'{"a":"' + b"x" * 1024 * 1024 + b'"}'}, 413, "body_too_large"),
        ({"headers": {"Host": "evil.example"}}, 400, "invalid_host"),
        ({"headers": {"Origin": "https://evil.example"}}, 403, "forbidden"),
        ({"headers": {"Origin": "null"}}, 403, "forbidden"),
        ({"params": {"label": "No Label"}}, 422, "invalid_request"),
    ],
)
def test_what_is_no_request_of_the_protocol_is_a_problem(
    api: Any, bearer: Any, change: dict[str, Any], status: int, code: str
) -> None:
    headers = {**bearer("reader"), "Content-Type": "application/json", **change.pop("headers", {})}
    body = {} if "content" in change else {"json": LIST}
    response = api.post("/mcp", headers=headers, **body, **change)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_other_methods_are_refused(api: Any, bearer: Any, method: str) -> None:
    response = api.request(method, "/mcp", headers=bearer("reader"))
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/event-stream", "text/html"])
def test_every_answer_is_json_whatever_is_accepted(api: Any, bearer: Any, accept: str | None) -> None:
    headers = bearer("reader") | ({"Accept": accept} if accept else {})
    for more, body in (({}, LIST), (MODERN, {**LIST, "params": {"_meta": ENVELOPE}})):
        response = api.post("/mcp", headers={**headers, **more}, json=body)
        assert (response.status_code, response.json()["result"]["prompts"]) == (200, [])
        assert response.headers["Content-Type"] == "application/json"


def test_an_origin_of_this_server_is_answered(api: Any, bearer: Any) -> None:
    headers = {**bearer("reader"), "Origin": "http://localhost:8401"}
    assert api.post("/mcp", headers=headers, json=LIST).status_code == 200


def test_a_method_that_is_not_offered_is_an_error_of_the_protocol(api: Any, bearer: Any) -> None:
    headers = bearer("reader")
    for method in ("tools/list", "resources/list", "nothing"):
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": ENVELOPE}}
        modern = {**headers, **MODERN, "Mcp-Method": method}
        response = api.post("/mcp", headers=modern, json=body)
        assert (response.status_code, response.json()["error"]["code"], response.json()["id"]) == (404, -32601, 7)
        body = {"jsonrpc": "2.0", "id": 7, "method": method}
        assert api.post("/mcp", headers=headers, json=body).json()["error"]["code"] == -32601


def test_a_notification_is_acknowledged(api: Any, bearer: Any) -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for more in ({}, MODERN):
        response = api.post("/mcp", headers=bearer("reader") | more, json=body)
        assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("headers", [{}, MODERN])
def test_an_unexpected_failure_shows_nothing_of_the_server(
    api: Any, bearer: Any, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(McpPrompts, "list", fail)
    response = api.post("/mcp", headers=bearer("reader") | headers, json={**LIST, "params": {"_meta": ENVELOPE}})
    assert response.json()["error"] == {"code": -32603, "message": "something failed in the server; its log has the error"}


def test_requests_are_counted_under_the_route(api: Any, bearer: Any) -> None:
    api.post("/mcp", headers=bearer("reader"), json=LIST)
    api.post("/mcp", json=LIST)
    metrics = api.get("/metrics", headers=bearer("operator")).text
    for status in (200, 401):
        assert f'promptuary_http_request_seconds_count{{method="POST",route="/mcp",status="{status}"}} 1.0' in metrics


def test_a_revoked_key_ends_at_once(api: Any, key: Any, local: Any) -> None:
    reader = key("reader")
    headers = {"Authorization": f"Bearer {reader}"}
    assert api.post("/mcp", headers=headers, json=LIST).status_code == 200
    local.delete(f"/v1/keys/{reader.split('_')[1]}").raise_for_status()
    assert api.post("/mcp", headers=headers, json=LIST).status_code == 401


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"name": "p", "arguments": {"n": 5}}, "arguments.n", "must be a text; a number"),
        ({"name": "p", "arguments": {"n": None, "m": "x"}}, "arguments.n", "must be a text"),
        ({"name": "p", "arguments": ["x"]}, "arguments", "must be an object"),
        ({"name": 5}, "name", "must be a string"),
        ({}, "name", "is required"),
    ],
)
def test_a_parameter_of_another_type_is_named(api: Any, bearer: Any, params: dict[str, Any], path: str, message: str) -> None:
    for more, envelope in (({}, {}), ({**MODERN, "Mcp-Method": "prompts/get", "Mcp-Name": "p"}, {"_meta": ENVELOPE})):
        body = {"jsonrpc": "2.0", "id": 7, "method": "prompts/get", "params": {**params, **envelope}}
        answer = api.post("/mcp", headers=bearer("reader") | more, json=body)
        error = answer.json()["error"]
        if more and params.get("name") != "p":
            continue  # the SDK compares the name with that of the header before it reads the parameters
        assert (error["code"], error["data"]["errors"][0]["path"]) == (-32602, path), answer.text
        assert message in error["message"]
        assert int(answer.headers["content-length"]) == len(answer.content)
