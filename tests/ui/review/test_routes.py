"""The routes of the review card: what they pass on to the API, for whom, and what comes back."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from promptuary_ui.review.routes import BODY_LIMIT, CALLS, PREFIX, ReviewRoutes
from promptuary_ui.sign_in.cookie import session_cookie
from promptuary_ui.sign_in.routes import SignInRoutes

ORIGIN, TOKEN = "http://127.0.0.1:8401", "pms_id_secret"
HEADERS = {"Origin": ORIGIN, "X-Promptuary-Review": "1", "Content-Type": "application/json"}


class Api:
    """The API behind the routes: it records each request and answers all of them alike."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.response: httpx.Response | Exception = httpx.Response(200, json={"id": 7})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


@pytest.fixture
def service() -> Api:
    return Api()


@pytest.fixture
def browser(service: Api) -> Iterator[Any]:
    """A signed-in browser in front of the routes."""
    connection = httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(service))
    cookie = session_cookie(8401, None)
    routes = ReviewRoutes(SignInRoutes(cookie, None, lambda: connection)).routes()
    with TestClient(Starlette(routes=routes), base_url=ORIGIN, cookies={cookie.name: TOKEN}) as client:
        yield client


def send(browser: Any, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {name: value for name, value in {**HEADERS, **options.pop("headers", {})}.items() if value is not None}
    response: httpx.Response = browser.request(method, PREFIX + path, headers=headers, **options)
    return response


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_each_call_reaches_the_api_with_the_session_and_its_body(browser: Any, service: Api, method: str, path: str) -> None:
    path = path.format(queue="a.queue", claim="c1", decision="7")
    body = b'{"a": 1}' if method != "GET" else b""
    response = send(browser, method, path, content=body)
    (request,) = service.requests
    assert (response.status_code, response.json()) == (200, {"id": 7})
    assert (request.method, request.url.raw_path.decode(), request.content) == (method, f"/v1{path}", body)
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["X-Forwarded-For"] == "testclient"
    assert response.headers["cache-control"] == "no-store"


def test_a_query_is_passed_on(browser: Any, service: Api) -> None:
    send(browser, "GET", "/me/decisions?queue=a&limit=2", headers={"Origin": None})
    assert service.requests[0].url.raw_path == b"/v1/me/decisions?queue=a&limit=2"


@pytest.mark.parametrize("path", ["/claims/..%2F..%2Fkeys/submit", "/claims/a%2Fb/submit", "/claims/a%3Fb/submit"])
def test_an_id_is_one_segment_of_the_path(browser: Any, service: Api, path: str) -> None:
    send(browser, "POST", path, content=b"{}")
    assert all(request.url.raw_path.count(b"/") == 4 and b"?" not in request.url.raw_path for request in service.requests)


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_the_apis_answer_is_the_answer_errors_included(browser: Any, service: Api, status: int) -> None:
    problem = {"detail": "no", "code": "x", "errors": [{"path": "labels.a", "message": "is required"}]}
    service.response = httpx.Response(status, **({} if status == 204 else {"json": problem}))
    response = send(browser, "POST", "/claims/c1/submit", content=b"{}")
    assert response.status_code == status
    assert status == 204 or response.json() == problem


@pytest.mark.parametrize(
    "response",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.Response(302, headers={"Location": "http://evil.test"}),
        httpx.Response(200, html="<p>a proxy's page</p>"),
    ],
)
def test_an_api_that_does_not_answer_is_a_failure_that_may_pass(browser: Any, service: Api, response: Any) -> None:
    service.response = response
    answer = send(browser, "POST", "/claims/c1/submit", content=b"{}")
    assert answer.status_code in (502, 503)
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:8401"},
        {"Origin": "https://127.0.0.1:8401"},
        {"Origin": "http://evil.test"},
        {"X-Promptuary-Review": None},
        {"Content-Type": "text/plain"},
        {"Content-Type": None},
    ],
)
def test_only_the_servers_own_page_decides(browser: Any, service: Api, headers: dict[str, str | None]) -> None:
    assert send(browser, "POST", "/claims/c1/submit", content=b"{}", headers=headers).status_code == 403
    assert service.requests == []


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.test"}, {"X-Promptuary-Review": None}])
def test_only_the_servers_own_page_reads(browser: Any, service: Api, headers: dict[str, str | None]) -> None:
    assert send(browser, "GET", "/queues", headers=headers).status_code == 403
    assert service.requests == []


def test_a_browser_without_a_session_is_refused_here(browser: Any, service: Api) -> None:
    browser.cookies.clear()
    assert send(browser, "POST", "/claims/c1/submit", content=b"{}").status_code == 401
    assert service.requests == []


def test_a_body_over_the_limit_is_refused_here(browser: Any, service: Api) -> None:
    assert send(browser, "PUT", "/claims/c1/draft", content=b"x" * (BODY_LIMIT + 1)).status_code == 413
    assert service.requests == []


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/queues/a"), ("PUT", "/queues/a"), ("GET", "/keys"), ("POST", "/keys")]
)
def test_nothing_else_of_the_api_is_reached(browser: Any, service: Api, method: str, path: str) -> None:
    assert send(browser, method, path, content=b"{}").status_code in (404, 405)
    assert service.requests == []
