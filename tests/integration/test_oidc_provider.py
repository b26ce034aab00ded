"""Sign-in with a provider of another maker, npm's oidc-provider, which checks PKCE, redirect URIs and codes."""

import base64
import hashlib
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from factories.processes import free_port, wait_until_ready

FOLDER = Path(__file__).parent / "oidc_provider"
REDIRECT = "https://review.test/sign-in/provider/callback"

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The provider's address."""
    port, log = free_port(), tmp_path_factory.mktemp("provider") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(["node", FOLDER / "provider.mjs", str(port), REDIRECT], stdout=output, stderr=output)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/.well-known/openid-configuration", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def settings(settings: Any, issuer: str) -> Any:
    secret = type(settings).model_validate({"oidc_client_secret": "a-secret:of/the+client"}).oidc_client_secret
    oidc = {"oidc_issuer": issuer, "oidc_client_id": "promptuary", "oidc_client_secret": secret}
    more = {"oidc_scopes": "openid profile groups", "oidc_roles": {"leads": ["default:lead"]}}
    return settings.model_copy(update={**oidc, **more, "public_ui_url": "https://review.test"})


@pytest.fixture
def clock() -> Any:
    from promptuary.core.clock import wall_clock

    return wall_clock


class Browser:
    """A person's browser: it signs in at the provider by its forms."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.state, self.nonce, self.verifier = (secrets.token_urlsafe(32) for _ in range(3))

    def code(self, login: str) -> str:
        """Sign in at the provider; return the code that it sends the browser back with."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        body = {"state": self.state, "nonce": self.nonce, "code_challenge": challenge}
        url = self.api.post("/v1/oidc/authorizations", json=body).json()["url"]
        with httpx.Client() as client:
            response = client.get(url)
            while True:
                if response.is_redirect:
                    url = urljoin(url, response.headers["location"])
                    if url.startswith(REDIRECT):
                        break
                    response = client.get(url)
                else:
                    prompt = re.search(r'name="prompt" value="(\w+)"', response.text)
                    assert prompt is not None, response.text
                    action = re.search(r'action="([^"]+)"', response.text)
                    assert action is not None
                    url = urljoin(url, action[1])
                    response = client.post(url, data={"prompt": prompt[1], "login": login, "password": "any"})
        query = parse_qs(urlsplit(url).query)
        assert query["state"] == [self.state]
        return query["code"][0]

    def finish(self, code: str, **changes: str) -> Any:
        """Finish the sign-in; return the response."""
        body = {"code": code, "code_verifier": self.verifier, "nonce": self.nonce, **changes}
        return self.api.post("/v1/oidc/sessions", json=body)


@pytest.fixture
def browser(api: Any, bearer: Any) -> Browser:
    bearer("operator")  # creates the project
    return Browser(api)


def test_a_person_signs_in_with_the_role_of_their_group(sqlite: Any, api: Any, browser: Browser) -> None:
    opened = browser.finish(browser.code("dana"))
    assert opened.status_code == 201, opened.text
    caller = api.get("/v1/self", headers={"Authorization": f"Bearer {opened.json()['token']}"}).json()
    assert (caller["actor"], caller["role"]) == ("dana of the provider", "lead")


def test_the_provider_refuses_a_wrong_verifier_and_a_used_code(sqlite: Any, api: Any, browser: Browser) -> None:
    wrong = browser.finish(browser.code("dana"), code_verifier=secrets.token_urlsafe(32))
    assert (wrong.status_code, "invalid_grant" in wrong.text) == (401, True)
    code = browser.code("dana")
    assert browser.finish(code).status_code == 201
    assert browser.finish(code).status_code == 401


def test_a_person_without_a_mapped_group_is_refused(sqlite: Any, api: Any, browser: Browser) -> None:
    assert browser.finish(browser.code("eve")).status_code == 403
