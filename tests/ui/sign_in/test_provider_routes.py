"""The browser's way to the identity provider and back: bound to the browser that began, and to this server's own pages."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from promptuary_ui.sign_in.cookie import session_cookie
from promptuary_ui.sign_in.provider_routes import ProviderRoutes, own_page
from promptuary_ui.sign_in.routes import SignInRoutes

ORIGIN = "http://127.0.0.1:8401"
CALLBACK = "/sign-in/provider/callback"


class Api:
    """The API behind the routes: it builds addresses of a provider, and opens a session for the code `right`."""

    def __init__(self) -> None:
        self.redirect_uri = ORIGIN + CALLBACK
        self.bodies: list[dict[str, Any]] = []
        self.status: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        if self.status is not None:
            return httpx.Response(self.status, json={"detail": "it is not possible"})
        if request.url.path == "/v1/oidc/authorizations":
            url = f"https://id.test/authorize?state={self.bodies[-1]['state']}"
            return httpx.Response(201, json={"url": url, "redirect_uri": self.redirect_uri})
        if self.bodies[-1]["code"] != "right":
            return httpx.Response(401, json={"detail": "the code is not valid"})
        opened = {"id": "id", "token": "pms_id_secret", "person": "p", "name": "Dana", "project": "default"}
        return httpx.Response(201, json={**opened, "expires_at": "2999-01-01T00:00:00Z"})


@pytest.fixture
def service() -> Api:
    return Api()


@pytest.fixture
def browser(service: Api) -> Iterator[Any]:
    connection = httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(service))
    sign_in = SignInRoutes(session_cookie(8401, None), None, lambda: connection)
    with TestClient(Starlette(routes=ProviderRoutes(sign_in).routes()), base_url=ORIGIN, follow_redirects=False) as client:
        yield client


def begin(browser: Any, next_page: str = "/runs?run=5") -> str:
    """Begin a sign-in; return its state."""
    response = browser.get("/sign-in/provider", params={"next": next_page})
    assert response.status_code == 303
    address = urlsplit(response.headers["location"])
    assert address.netloc == "id.test"
    return dict(parse_qsl(address.query))["state"]


def test_a_browser_that_comes_back_with_its_code_is_signed_in(browser: Any, service: Api) -> None:
    state = begin(browser)
    response = browser.get(CALLBACK, params={"state": state, "code": "right"})
    assert (response.status_code, response.headers["location"]) == (303, "/runs?run=5")
    session, flow = response.headers.get_list("set-cookie")
    assert session.startswith("promptuary-8401=pms_id_secret; ")
    assert "HttpOnly; SameSite=Strict" in session
    assert flow.startswith("promptuary-provider-8401=; Max-Age=0")
    begun, finished = service.bodies
    challenge = base64.urlsafe_b64encode(hashlib.sha256(finished["code_verifier"].encode()).digest()).rstrip(b"=").decode()
    assert (begun["code_challenge"], begun["nonce"]) == (challenge, finished["nonce"])


def test_the_cookie_of_the_way_is_for_the_way_only_and_no_script_reads_it(browser: Any) -> None:
    response = browser.get("/sign-in/provider")
    (cookie,) = response.headers.get_list("set-cookie")
    assert cookie.endswith("; Max-Age=600; Path=/sign-in/provider; HttpOnly; SameSite=Lax")


def test_every_sign_in_has_values_of_its_own(browser: Any, service: Api) -> None:
    for _ in range(3):
        begin(browser)
    for name in ("state", "nonce", "code_challenge"):
        assert len({body[name] for body in service.bodies}) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"code": "right"},
        {"code": "right", "state": "of-another-browser"},
        {"code": "right", "state": ""},
        {"code": "right", "state": "ä"},
    ],
)
def test_a_code_with_another_state_signs_nobody_in(browser: Any, service: Api, query: dict[str, str]) -> None:
    begin(browser)
    response = browser.get(CALLBACK, params=query)
    assert response.headers["location"].startswith("/sign-in?reason=provider-refused")
    assert "promptuary-8401" not in str(response.headers)
    assert len(service.bodies) == 1


def test_a_code_brought_by_another_browser_signs_nobody_in(browser: Any, service: Api) -> None:
    state = begin(browser)
    browser.cookies.clear()
    response = browser.get(CALLBACK, params={"state": state, "code": "right"})
    assert response.headers["location"].startswith("/sign-in?reason=provider-refused")
    assert len(service.bodies) == 1


def test_a_sign_in_is_finished_once(browser: Any) -> None:
    state = begin(browser)
    assert browser.get(CALLBACK, params={"state": state, "code": "right"}).headers["location"] == "/runs?run=5"
    again = browser.get(CALLBACK, params={"state": state, "code": "right"})
    assert again.headers["location"].startswith("/sign-in?reason=provider-refused")


@pytest.mark.parametrize(("status", "reason"), [(401, "provider-refused"), (403, "no-role"), (503, "provider-failed")])
def test_a_refused_sign_in_returns_to_the_form_with_the_reason(browser: Any, service: Api, status: int, reason: str) -> None:
    state = begin(browser)
    service.status = status
    response = browser.get(CALLBACK, params={"state": state, "code": "right"})
    assert dict(parse_qsl(urlsplit(response.headers["location"]).query)) == {"reason": reason, "next": "/runs?run=5"}


def test_an_error_of_the_provider_returns_to_the_form(browser: Any, service: Api) -> None:
    state = begin(browser)
    response = browser.get(CALLBACK, params={"state": state, "error": "access_denied", "error_description": "<script>"})
    assert response.headers["location"] == "/sign-in?reason=provider-refused&next=%2Fruns%3Frun%3D5"


def test_a_provider_that_is_not_there_returns_to_the_form(browser: Any, service: Api) -> None:
    service.status = 503
    assert browser.get("/sign-in/provider").headers["location"].startswith("/sign-in?reason=provider-failed")


def test_a_browser_under_another_name_goes_to_the_registered_one_first(browser: Any, service: Api) -> None:
    service.redirect_uri = "https://review.test" + CALLBACK
    response = browser.get("/sign-in/provider?next=/runs")
    assert response.headers["location"] == "https://review.test/sign-in/provider?next=%2Fruns&moved=1"
    assert "set-cookie" not in response.headers
    assert browser.get("/sign-in/provider?next=/runs&moved=1").headers["location"].startswith("https://id.test/")


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "evil",
        "javascript:alert(1)",
        "",
        None,
        "/sign-in?x",
        "/a\nb",
        "/x" * 600,
        "/a\\b",
    ],
)
def test_another_servers_page_is_never_the_next_one(text: str | None) -> None:
    assert own_page(text) == "/"


def test_a_page_of_this_server_is_the_next_one() -> None:
    assert own_page("/runs?run=5&x=a%20b") == "/runs?run=5&x=a%20b"
