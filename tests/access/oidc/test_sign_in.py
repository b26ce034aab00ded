"""Sign-in with an identity provider on loopback, which checks PKCE: who the person is, and what they may do."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from doubles.token_issuer import LocalIssuer, local_issuer
from factories.clock import ManualClock
from promptuary.access.oidc.role_mapping import groups_in, parse_role_mapping
from promptuary.access.role import Role
from promptuary.api.app import create_app
from promptuary.core.settings import InvalidSettings, read_settings

CLIENT, SECRET = "promptuary-test", "s3:cr+t/"
REDIRECT = "https://review.test/sign-in/provider/callback"
ROLES = {"leads": ["default:lead"], "readers": ["default:viewer", "shop:viewer"], "nobody": ["missing:admin"]}


class Provider:
    """The provider's side: it remembers each authorization, and exchanges its code once, for the right verifier only."""

    def __init__(self, issuer: LocalIssuer, clock: ManualClock) -> None:
        self.issuer, self.clock = issuer, clock
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {"sub": "dana", "name": "Dana", "groups": ["leads"]}
        self.changes: dict[str, Any] = {}
        self.user: dict[str, Any] = {}

    def authorize(self, url: str) -> str:
        """Sign the person in at an authorization address; return the code."""
        query = dict(parse_qsl(urlsplit(url).query))
        assert (query["response_type"], query["client_id"], query["redirect_uri"]) == ("code", CLIENT, REDIRECT)
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return code

    def answer(self, handler: Any, method: str, _issuer: LocalIssuer) -> None:
        """Answer the token and user addresses."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        if handler.path == "/userinfo" and handler.headers["Authorization"] == "Bearer access":
            return self._send(handler, 200, {"sub": self.claims["sub"], **self.user})
        assert (method, handler.path) == ("POST", "/token")
        form = {name: values[0] for name, values in parse_qs(body).items()}
        expected = base64.b64encode(b"promptuary-test:s3%3Acr%2Bt%2F").decode()
        begun = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        wrong = (
            handler.headers["Authorization"] != f"Basic {expected}"
            or begun is None
            or begun["code_challenge"] != challenge
            or begun["redirect_uri"] != form["redirect_uri"]
        )
        if begun is None or wrong:
            return self._send(handler, 400, {"error": "invalid_grant"})
        claims = {"aud": CLIENT, "nonce": begun["nonce"], **self.claims, **self.changes}
        token = self.issuer.token(self.clock(), **claims)
        return self._send(handler, 200, {"id_token": token, "access_token": "access", "token_type": "Bearer"})

    def _send(self, handler: Any, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def provider(clock: ManualClock) -> Iterator[Provider]:
    with local_issuer(lambda *request: provider.answer(*request)) as issuer:
        provider = Provider(issuer, clock)
        yield provider


@pytest.fixture
def settings(settings: Any, provider: Provider) -> Any:
    return settings.model_copy(
        update={
            "oidc_issuer": provider.issuer.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": type(settings).model_validate({"oidc_client_secret": SECRET}).oidc_client_secret,
            "oidc_roles": ROLES,
            "public_ui_url": "https://review.test/",
        }
    )


class Browser:
    """A browser's side of a sign-in."""

    def __init__(self, api: Any, provider: Provider) -> None:
        self.api, self.provider = api, provider
        self.state, self.nonce, self.verifier = (secrets.token_urlsafe(32) for _ in range(3))

    def begin(self) -> str:
        """Begin a sign-in; return the provider's code."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        body = {"state": self.state, "nonce": self.nonce, "code_challenge": challenge}
        response = self.api.post("/v1/oidc/authorizations", json=body)
        assert response.status_code == 201, response.text
        assert response.json()["redirect_uri"] == REDIRECT
        return self.provider.authorize(response.json()["url"])

    def finish(self, code: str, **changes: Any) -> Any:
        """Finish the sign-in; return the response."""
        body = {"code": code, "code_verifier": self.verifier, "nonce": self.nonce, **changes}
        return self.api.post("/v1/oidc/sessions", json=body, headers={"User-Agent": "Browser"})

    def sign_in(self, **changes: Any) -> Any:
        """Sign in; return the response."""
        return self.finish(self.begin(), **changes)


@pytest.fixture
def browser(api: Any, provider: Provider, unit_as: Any) -> Browser:
    for project in ("default", "shop"):
        with unit_as("operator", project):
            pass
    return Browser(api, provider)


def whoami(api: Any, response: Any) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = api.get("/v1/self", headers={"Authorization": f"Bearer {response.json()['token']}"}).json()
    return answer


def actions(api: Any, bearer: Any) -> list[tuple[str, str]]:
    entries = api.get("/v1/audit", params={"limit": 200}, headers=bearer("admin")).json()["items"]
    return [(entry["action"], entry["actor"]) for entry in entries if not entry["action"].startswith("key.")]


def test_a_person_signs_in_with_the_role_of_their_group(database: Any, api: Any, browser: Browser, bearer: Any) -> None:
    response = browser.sign_in()
    caller = whoami(api, response)
    assert (caller["actor"], caller["project"], caller["role"]) == ("Dana", "default", "lead")
    assert caller["actor_id"] == f"person:{response.json()['person']}"
    host = urlsplit(browser.provider.issuer.url).netloc
    by_provider = [("person.created", f"oidc:{host}"), ("person.linked", f"oidc:{host}"), ("person.role_set", f"oidc:{host}")]
    assert actions(api, bearer) == [*by_provider, ("session.opened", "Dana")]


def test_the_subject_is_the_person_whatever_the_name_is(api: Any, browser: Browser, sqlite: Any) -> None:
    first = browser.sign_in().json()
    browser.provider.claims.update(name="Another name", email="eve@example.com")
    assert browser.sign_in().json()["person"] == first["person"]
    browser.provider.claims.update(sub="eve", name="Dana")
    second = browser.sign_in().json()
    assert (second["name"], second["person"] == first["person"]) == ("Dana (2)", False)


@pytest.mark.parametrize("name", [None, 7, "", "a\u202eb", "key:app", "local", "x" * 300])
def test_a_name_that_no_person_may_have_is_replaced(api: Any, browser: Browser, sqlite: Any, name: Any) -> None:
    browser.provider.claims.update(name=name, preferred_username=None)
    assert browser.sign_in().json()["name"] == "New person"


def test_groups_are_mapped_again_at_each_sign_in(database: Any, api: Any, browser: Browser) -> None:
    first = browser.sign_in()
    browser.provider.claims["groups"] = ["readers", "unknown"]
    second = browser.sign_in()
    assert whoami(api, second)["role"] == "viewer"
    assert whoami(api, first)["role"] == "viewer"
    assert whoami(api, browser.sign_in(project="shop"))["project"] == "shop"
    browser.provider.claims["groups"] = []
    refused = browser.sign_in()
    assert (refused.status_code, "no role here any more" in refused.text) == (403, True)
    for earlier in (first, second):
        headers = {"Authorization": f"Bearer {earlier.json()['token']}"}
        assert api.get("/v1/self", headers=headers).status_code == 401


def test_a_role_in_a_project_without_mapped_groups_stays(
    api: Any, browser: Browser, bearer: Any, unit_as: Any, sqlite: Any
) -> None:
    with unit_as("operator", "other"):
        pass
    person = browser.sign_in().json()["person"]
    path = f"/v1/people/{person}/memberships/other"
    assert api.put(path, json={"role": "reviewer"}, headers=bearer("operator")).is_success
    assert whoami(api, browser.sign_in(project="other"))["role"] == "reviewer"


@pytest.mark.parametrize("groups", [[], None, ["unknown"], ["nobody"], 7, [7]])
def test_somebody_without_a_mapped_group_gets_nothing(
    api: Any, browser: Browser, bearer: Any, groups: Any, sqlite: Any
) -> None:
    browser.provider.claims["groups"] = groups
    response = browser.sign_in()
    assert (response.status_code, "PROMPTUARY_OIDC_ROLES" in response.text) == (403, True)
    assert api.get("/v1/people", headers=bearer("operator")).json()["items"] == []


def test_groups_that_only_the_users_address_states_count_too(api: Any, browser: Browser, sqlite: Any) -> None:
    browser.provider.claims["groups"] = None
    browser.provider.user = {"groups": ["readers"]}
    assert whoami(api, browser.sign_in())["role"] == "viewer"
    browser.provider.user = {"groups": ["leads"], "sub": "eve"}
    assert browser.sign_in().status_code == 401


def test_a_deactivated_person_does_not_come_back(api: Any, browser: Browser, bearer: Any, sqlite: Any) -> None:
    person = browser.sign_in().json()["person"]
    assert api.post(f"/v1/people/{person}/deactivate", headers=bearer("operator")).is_success
    assert browser.sign_in().status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another-nonce-of-22-characters"},
        {"aud": "another"},
        {"iss": "https://other.test"},
        {"exp": 1},
        {"iat": 99999999999},
    ],
)
def test_a_token_that_is_not_of_this_sign_in_opens_nothing(
    api: Any, browser: Browser, bearer: Any, changes: dict[str, Any], sqlite: Any
) -> None:
    browser.provider.changes = changes
    response = browser.sign_in()
    assert (response.status_code, response.json()["code"]) == (401, "token_refused")
    assert api.get("/v1/people", headers=bearer("operator")).json()["items"] == []


def test_a_code_is_worth_nothing_without_its_verifier_nonce_or_twice(api: Any, browser: Browser, sqlite: Any) -> None:
    code = browser.begin()
    assert browser.finish(code, code_verifier=secrets.token_urlsafe(32)).status_code == 401
    assert browser.finish(browser.begin(), nonce=secrets.token_urlsafe(32)).status_code == 401
    code = browser.begin()
    assert browser.finish(code).status_code == 201
    assert browser.finish(code).json()["code"] == "token_refused"
    assert browser.finish("of-nobody").status_code == 401


def test_a_provider_that_does_not_answer_is_503(api: Any, browser: Browser, clock: ManualClock, sqlite: Any) -> None:
    code = browser.begin()
    browser.provider.issuer.documents["/token"] = 500
    response = browser.finish(code)
    assert (response.status_code, response.json()["code"]) == (503, "issuer_failed")


def test_too_many_sign_ins_at_once_are_refused(app: Any, api: Any, browser: Browser, sqlite: Any) -> None:
    oidc = app.services.oidc
    code = browser.begin()
    for _ in range(4):
        assert oidc._places.acquire(blocking=False)
    assert browser.finish(code).status_code == 503
    for _ in range(4):
        oidc._places.release()
    assert browser.finish(code).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "x", "code_verifier": "short", "nonce": "n" * 22},
        {"code": "", "code_verifier": "v" * 43, "nonce": "n" * 22},
        {"code": "x", "code_verifier": "v" * 43, "nonce": "n" * 22, "redirect_uri": "https://evil.test"},
        {"code": "x", "code_verifier": "v" * 43, "nonce": "n"},
    ],
)
def test_an_incomplete_sign_in_is_refused(api: Any, browser: Browser, body: dict[str, str], sqlite: Any) -> None:
    assert api.post("/v1/oidc/sessions", json=body).status_code == 422


def test_the_page_learns_the_providers_name_and_nothing_more(api: Any, browser: Browser, sqlite: Any) -> None:
    assert api.get("/v1/oidc").json() == {"name": "your organisation"}


def test_the_role_that_may_do_most_wins_in_each_project() -> None:
    mapping = parse_role_mapping(ROLES)
    assert mapping.roles_of(["readers", "leads"]) == {"default": Role.LEAD, "shop": Role.VIEWER}
    assert mapping.projects == {"default", "shop", "missing"}


@pytest.mark.parametrize("entry", ["default", "default:", ":lead", "default:boss", "default:ci", "default:service", "A B:lead"])
def test_a_mapping_to_what_people_cannot_have_stops_the_start(entry: str) -> None:
    with pytest.raises(InvalidSettings, match="cannot be used"):
        parse_role_mapping({"group": [entry]})


@pytest.mark.parametrize(
    ("claims", "name", "groups"),
    [
        ({"groups": ["a", 7, "b"]}, "groups", ["a", "b"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://acme.test/groups": ["a"]}, "https://acme.test/groups", ["a"]),
        ({"groups": {"a": 1}}, "groups", None),
        ({"realm_access": 7}, "realm_access.roles", None),
        ({}, "groups", None),
    ],
)
def test_groups_are_a_claim_or_a_path_to_one(claims: dict[str, object], name: str, groups: list[str] | None) -> None:
    assert groups_in(claims, name) == groups


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ({"oidc_issuer": "https://id.test"}, "PROMPTUARY_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "http://id.test", "oidc_client_id": "x"}, "PROMPTUARY_OIDC_ISSUER"),
    ],
)
def test_a_provider_that_cannot_be_asked_stops_the_start(
    sqlite: Any, settings: Any, setting: dict[str, str], wrong: str
) -> None:
    with pytest.raises(InvalidSettings) as refused:
        create_app(read_settings(data_dir=settings.data_dir, **setting), database=sqlite)
    assert [error.path for error in refused.value.field_errors] == [wrong]
