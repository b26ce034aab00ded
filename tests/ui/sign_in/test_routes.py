"""The routes of the sign-in page: who may set the session's cookie, with what, and what the cookie is."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from promptuary_ui.sign_in.cookie import SessionCookie, session_cookie
from promptuary_ui.sign_in.routes import SignInRoutes

ORIGIN = "http://127.0.0.1:8401"
KEY, TOKEN = "pmt_mine", "pms_id_secret"
HEADERS = {"Origin": ORIGIN, "X-Promptuary-Sign-In": "1", "Content-Type": "application/json"}


class Api:
    """The API behind the routes: it knows one key, and one session until that is ended."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.is_open = True
        self.status: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        credential = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.status is not None:
            return httpx.Response(self.status, json={"detail": "it is not possible"})
        if request.url.path == "/v1/self" and credential == TOKEN and self.is_open:
            return httpx.Response(200, json={"project": "p", "actor": "Dana", "role": "reviewer", "scopes": []})
        if request.url.path == "/v1/sessions" and credential == KEY:
            opened = {"id": "id", "token": TOKEN, "person": "person_1", "name": "Dana", "project": "p"}
            return httpx.Response(201, json={**opened, "expires_at": "2999-01-01T00:00:00Z"})
        if request.url.path == "/v1/oidc":
            return httpx.Response(200, json={"name": "Acme"})
        return httpx.Response(401, json={"detail": "the key is not valid"})


@pytest.fixture
def service() -> Api:
    return Api()


@pytest.fixture
def browser(service: Api) -> Any:
    """A browser in front of the routes, without a session."""
    connection = httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(service))
    routes = SignInRoutes(session_cookie(8401, None), None, lambda: connection)
    with TestClient(Starlette(routes=routes.routes()), base_url=ORIGIN) as client:
        yield client


def sign_in(browser: Any, credential: Any = KEY, **headers: str | None) -> httpx.Response:
    sent = {name: value for name, value in {**HEADERS, **headers}.items() if value is not None}
    response: httpx.Response = browser.post("/sign-in/session", json={"credential": credential}, headers=sent)
    return response


def test_a_key_opens_a_session_whose_token_is_in_a_strict_cookie(browser: Any, service: Api) -> None:
    response = sign_in(browser)
    assert response.status_code == 200
    assert response.json() == {"name": "Dana"}
    (cookie,) = response.headers.get_list("set-cookie")
    value, *attributes = cookie.split("; ")
    assert value == f"promptuary-8401={TOKEN}"
    assert {"Path=/", "HttpOnly", "SameSite=Strict"} < set(attributes)
    assert KEY not in str(response.headers) + response.text
    assert browser.get("/sign-in/session").json() == {"signed_in": True, "provider": None}
    assert service.requests[0].headers["X-Forwarded-For"] == "testclient"


def test_a_browser_without_a_session_learns_of_the_provider(browser: Any) -> None:
    assert browser.get("/sign-in/session").json() == {"signed_in": False, "provider": "Acme"}


def test_a_session_that_ended_elsewhere_deletes_the_cookie(browser: Any, service: Api) -> None:
    sign_in(browser)
    service.is_open = False
    response = browser.get("/sign-in/session")
    assert response.json()["signed_in"] is False
    assert response.headers["set-cookie"].startswith("promptuary-8401=; Max-Age=0; ")
    assert not browser.cookies


def test_a_service_that_fails_keeps_the_cookie(browser: Any, service: Api) -> None:
    sign_in(browser)
    service.status = 503
    response = browser.get("/sign-in/session")
    assert (response.status_code, "set-cookie" in response.headers) == (503, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:8401"},
        {"Origin": "https://127.0.0.1:8401"},
        {"Origin": "http://evil.test"},
        {"X-Promptuary-Sign-In": None},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_only_the_servers_own_page_signs_in(browser: Any, service: Api, headers: dict[str, str | None]) -> None:
    response = sign_in(browser, **headers)  # type: ignore[arg-type]  # names of headers
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)
    assert service.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"pmt_mine"',
        b"{}",
        b'{"credential": 7}',
        b'{"credential": "x", "more": 1}',
        b'{"credential": "\\u00e9"}',
        b'{"credential": "a\\nb"}',
        b'{"credential": "' + b"x" * 3000 + b'"}',
        b"[" * 2000,
    ],
)
def test_a_body_that_is_no_credential_is_refused(browser: Any, service: Api, body: bytes) -> None:
    response = browser.post("/sign-in/session", content=body, headers=HEADERS)
    assert (response.status_code, "set-cookie" in response.headers) == (400, False)
    assert service.requests == []


def test_a_wrong_key_sets_no_cookie(browser: Any) -> None:
    response = sign_in(browser, "pmt_other")
    assert (response.status_code, response.json()) == (401, {"detail": "The key is not valid."})
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(("status", "answered"), [(429, 429), (500, 503), (302, 503)])
def test_an_api_that_refuses_signs_nobody_in(browser: Any, service: Api, status: int, answered: int) -> None:
    service.status = status
    response = sign_in(browser)
    assert (response.status_code, "set-cookie" in response.headers) == (answered, False)


def test_behind_https_the_cookie_is_for_this_host_and_https_only() -> None:
    cookie = session_cookie(443, "https://review.test")
    assert cookie == SessionCookie(443, secure=True)
    assert cookie.name == "__Host-promptuary"
    assert cookie.deletion().endswith("; Secure")


def test_two_servers_of_one_machine_have_cookies_of_their_own() -> None:
    assert session_cookie(8401, None).name != session_cookie(9401, None).name


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/page.js", "/sign-in/page.css", "/sign-in/mark.svg"])
def test_the_page_and_its_files_are_there_without_a_session(browser: Any, path: str) -> None:
    assert browser.get(path).status_code == 200


def test_a_link_to_the_review_page_leads_to_it(browser: Any) -> None:
    response = browser.get("/review?queue=triage", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, "/?queue=triage")
