"""What the UI's server refuses before Streamlit sees it."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from promptuary_ui.request_checks import POLICY_VIOLATION, RequestChecks
from promptuary_ui.settings import allowed_hosts, public_origin

HOST, ORIGIN = "127.0.0.1:8401", "http://127.0.0.1:8401"


async def page(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("a page")


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("connected")
    await websocket.close()


def client(public: str | None = None, hosts: list[str] | None = None) -> TestClient:
    app = Starlette(routes=[WebSocketRoute("/_stcore/stream", stream), Route("/{path:path}", page)])
    checks = RequestChecks(app, hosts if hosts is not None else allowed_hosts("127.0.0.1"), public)
    return TestClient(checks, base_url=ORIGIN)


def connect(client: TestClient, headers: Any) -> str:
    with client.websocket_connect("/_stcore/stream", headers=headers) as websocket:
        return str(websocket.receive_text())


@pytest.mark.parametrize("host", [HOST, "127.0.0.1", "localhost:8401", "LOCALHOST", "[::1]:8401", "[::1]"])
def test_a_page_is_answered_under_this_servers_names(host: str) -> None:
    assert client().get("/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8401", "127.0.0.1.evil.test", "", "[::2]", "127.0.0.1@evil.test"])
@pytest.mark.parametrize("path", ["/", "/runs", "/_stcore/health", "/static/index.js"])
def test_another_host_gets_no_page(host: str, path: str) -> None:
    response = client().get(path, headers={"Host": host})
    assert (response.status_code, "PROMPTUARY_ALLOWED_HOSTS" in response.text) == (400, True)


def test_two_host_headers_get_no_page() -> None:
    http = client()
    request = http.build_request("GET", "/", headers=[("Host", HOST), ("Host", "evil.test")])
    assert http.send(request).status_code == 400


def test_a_listed_host_is_known_in_any_case() -> None:
    assert client(hosts=["Review.Test"]).get("/", headers={"Host": "review.TEST:443"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/metrics/",
        "/_stcore/agent",
        "/_stcore/agent/run",
        "/_stcore/upload_file",
        "/_stcore/upload_file/session/file",
        "/_stcore/script-health-check",
        "/_stcore",
        "/%5Fstcore/metrics",
        "/auth/login",
        "/oauth2callback",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "DELETE"])
def test_streamlits_routes_that_no_page_needs_are_not_there(path: str, method: str) -> None:
    assert client().request(method, path).status_code == 404


def test_a_page_of_this_server_connects() -> None:
    assert connect(client(), {"Host": HOST, "Origin": ORIGIN}) == "connected"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:9999"},  # another port of this machine: SameSite cookies are sent from there
        {"Origin": "http://localhost:8401"},
        {"Origin": "https://127.0.0.1:8401"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:84010"},
        {"Origin": "http://evil.test"},
        {"Origin": "http://evil.test", "Host": "evil.test"},
        {"Origin": "null"},
        {"Origin": ""},
        {},
    ],
)
def test_a_websocket_of_another_origin_is_closed(headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect) as closed:
        connect(client(), {"Host": HOST, **headers})
    assert closed.value.code == POLICY_VIOLATION


def test_a_websocket_with_two_origins_is_closed() -> None:
    http = client()
    http.headers = httpx.Headers([("Host", HOST), ("Origin", ORIGIN), ("Origin", "http://evil.test")])
    with pytest.raises(WebSocketDisconnect) as closed:
        connect(http, {})
    assert closed.value.code == POLICY_VIOLATION


def test_pages_behind_a_proxy_connect_from_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_PUBLIC_UI_URL", "https://Review.test:443/promptuary")
    public = public_origin()
    assert public == "https://review.test"
    behind_proxy = client(public, ["review.test"])
    assert connect(behind_proxy, {"Host": "review.test", "Origin": "https://review.test"}) == "connected"
    with pytest.raises(WebSocketDisconnect):
        connect(behind_proxy, {"Host": "review.test", "Origin": "https://other.test"})
