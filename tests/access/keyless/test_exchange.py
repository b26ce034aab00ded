"""Pipelines exchange their platform's token for a short key, by a rule that a lead stored."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doubles.token_issuer import LocalIssuer, local_issuer
from factories.clock import ManualClock
from promptuary.access.role import SCOPES, Role, Scope
from promptuary.api.app import create_app
from promptuary.core.settings import InvalidSettings, read_settings

AUDIENCE = "https://prompts.test"
GITHUB = {
    "aud": AUDIENCE,
    "sub": "repo:acme/prompts:ref:refs/heads/main",
    "repository": "acme/prompts",
    "repository_id": "42",
    "ref": "refs/heads/main",
    "ref_type": "branch",
    "event_name": "push",
    "run_id": "7",
}
GITLAB = {
    "aud": AUDIENCE,
    "sub": "project_path:acme/prompts:ref_type:branch:ref:main",
    "project_path": "acme/prompts",
    "project_id": "42",
    "ref": "main",
    "ref_type": "branch",
    "pipeline_source": "push",
    "pipeline_id": 7,
}
RULE = {"repository": "acme/prompts", "branch": "main"}


@pytest.fixture(scope="module")
def served() -> Iterator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture(params=["github", "gitlab"])
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(settings: Any, served: LocalIssuer, request: pytest.FixtureRequest) -> Any:
    platform = request.getfixturevalue("platform") if "platform" in request.fixturenames else "github"
    return settings.model_copy(update={"keyless_issuers": {served.url: platform}, "public_url": AUDIENCE + "/"})


class Platform:
    """A platform in front of the API."""

    def __init__(self, api: Any, issuer: LocalIssuer, clock: ManualClock, headers: dict[str, str]) -> None:
        self.api, self.issuer, self.clock, self.headers = api, issuer, clock, headers

    def rule(self, **changes: Any) -> Any:
        """Store a rule; return the response."""
        return self.api.post("/v1/keys/rules", json={"issuer": self.issuer.url, **RULE, **changes}, headers=self.headers)

    def exchange(self, claims: dict[str, Any], **more: Any) -> Any:
        """Send a token with these claims; return the response."""
        body = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": self.issuer.token(self.clock(), **claims),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            **more,
        }
        return self.api.post("/v1/keys/exchange", json=body)


@pytest.fixture
def ci(api: Any, served: LocalIssuer, clock: ManualClock, bearer: Callable[..., dict[str, str]]) -> Platform:
    """A platform, and a lead who stores rules."""
    return Platform(api, served, clock, bearer("lead"))


def test_a_pipeline_gets_a_short_key_of_the_role_ci(
    database: Any, ci: Platform, platform: str, bearer: Callable[..., dict[str, str]]
) -> None:
    rule = ci.rule(minutes=30).json()
    response = ci.exchange(GITHUB if platform == "github" else GITLAB)
    assert response.status_code == 201, response.text
    exchanged = response.json()
    assert (exchanged["token_type"], exchanged["expires_in"], exchanged["project"]) == ("Bearer", 1800, "default")
    assert exchanged["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    key = {"Authorization": f"Bearer {exchanged['access_token']}"}
    caller = ci.api.get("/v1/self", headers=key).json()
    assert (caller["role"], caller["actor"], set(caller["scopes"])) == ("ci", "key:ci acme/prompts@main", set(SCOPES[Role.CI]))
    (entry,) = [
        entry
        for entry in ci.api.get("/v1/audit", params={"limit": 200}, headers=bearer("admin")).json()["items"]
        if entry["action"] == "key.exchanged"
    ]
    assert entry["detail"] | {"rule": rule["id"], "repository": "acme/prompts", "branch": "main", "run": "7"} == entry["detail"]
    ci.clock.move(minutes=30)
    assert ci.api.get("/v1/self", headers=key).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "acme/other"},
        {"repository": "evil/prompts"},
        {"ref": "refs/heads/feature"},
        {"ref": "refs/heads/main2"},
        {"ref": "refs/tags/main", "ref_type": "tag"},
        {"event_name": "pull_request_target"},
        {"event_name": "workflow_run"},
        {"event_name": "issues"},
        {"event_name": "discussion_comment"},
        {"event_name": "fork"},
        {"event_name": "pull_request_review"},
        {"event_name": "pull_request", "ref": "refs/pull/1/merge", "base_ref": "main"},
    ],
)
def test_a_pipeline_of_another_repository_branch_or_event_gets_none(sqlite: Any, ci: Platform, changes: dict[str, str]) -> None:
    ci.rule()
    response = ci.exchange({**GITHUB, **changes})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert "promptuary key rule add" in response.json()["detail"]


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        ({"environment": "production"}, {"environment": "production"}),
        ({"event": "push"}, {"event_name": "push"}),
        ({"event": "pull_request"}, {"event_name": "pull_request", "ref": "refs/pull/1/merge", "base_ref": "main"}),
        ({"event": "pull_request_target"}, {"event_name": "pull_request_target"}),
        ({"repository_id": "42"}, {}),
        ({"branch": "release/1.x"}, {"ref": "refs/heads/release/1.x"}),
    ],
)
def test_a_rule_binds_the_environment_the_event_and_the_repositorys_number(
    sqlite: Any, ci: Platform, rule: dict[str, str], claims: dict[str, str]
) -> None:
    ci.rule(**rule)
    assert ci.exchange({**GITHUB, **claims}).status_code == 201
    others = {"environment": "staging", "event_name": "schedule", "repository_id": "43", "ref": "refs/heads/x", "base_ref": "x"}
    names = set(claims) or {"repository_id"}
    for name in names - ({"ref"} if "base_ref" in claims else set()):  # a pull request is bound by what it is to change
        assert ci.exchange({**GITHUB, **claims, name: others[name]}).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.test"},
        {"aud": ["https://other.test", AUDIENCE]},
        {"iss": "https://token.actions.githubusercontent.com"},
        {"exp": 1},
        {"iat": 99999999999},
        {"repository": None},
        {"event_name": 7.5},
    ],
)
def test_a_token_for_somebody_else_or_of_no_pipeline_gets_none(sqlite: Any, ci: Platform, changes: dict[str, Any]) -> None:
    ci.rule()
    response = ci.exchange({**GITHUB, **changes})
    assert (response.status_code, response.json()["code"]) == (401, "token_refused")


@pytest.mark.parametrize("token", ["x", "a.b.c", "pmt_aaaaaaaaaaaa_b"])
def test_a_text_that_is_no_token_gets_none(sqlite: Any, ci: Platform, token: str) -> None:
    ci.rule()
    assert ci.exchange(GITHUB, subject_token=token).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_type": "client_credentials"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"subject_token": ""},
        {"subject_token": "x" * 40_000},
        {"role": "admin"},
        {"scope": "*"},
    ],
)
def test_a_request_beyond_the_exchange_is_refused(sqlite: Any, ci: Platform, changes: dict[str, Any]) -> None:
    ci.rule()
    assert ci.exchange(GITHUB, **changes).status_code == 422


def test_a_body_of_strangers_is_read_to_a_small_limit_only(sqlite: Any, ci: Platform) -> None:
    pieces = (b'{"a": "' + b"x" * 1000 for _ in range(200))
    for content in (b"x" * 100_000, pieces):
        headers = {"Content-Type": "application/json"}
        assert ci.api.post("/v1/keys/exchange", content=content, headers=headers).status_code == 413


def test_a_removed_rule_gives_no_key(database: Any, ci: Platform) -> None:
    rule = ci.rule().json()["id"]
    assert [stored["id"] for stored in ci.api.get("/v1/keys/rules", headers=ci.headers).json()["items"]] == [rule]
    assert ci.api.delete(f"/v1/keys/rules/{rule}", headers=ci.headers).status_code == 204
    assert ci.exchange(GITHUB).status_code == 403
    assert ci.api.delete(f"/v1/keys/rules/{rule}", headers=ci.headers).status_code == 404
    assert ci.api.get("/v1/keys/rules", headers=ci.headers).json()["items"] == []


def test_a_rule_may_allow_what_a_lead_may_and_a_pipeline_can_have(sqlite: Any, ci: Platform) -> None:
    assert ci.rule(grants=["suite:write"]).status_code == 201
    assert "suite:write" in ci.exchange(GITHUB).json()["scope"].split()
    assert ci.rule(grants=["label:move"]).status_code == 422
    assert ci.rule(grants=[Scope.KEY_MANAGE]).status_code == 422
    assert ci.rule(minutes=721).status_code == 422
    assert ci.rule(minutes=0).status_code == 422


@pytest.mark.parametrize("role", ["viewer", "reviewer", "editor", "ci", "service"])
def test_only_a_lead_or_an_admin_stores_rules(
    sqlite: Any, ci: Platform, bearer: Callable[..., dict[str, str]], role: str
) -> None:
    body = {"issuer": ci.issuer.url, **RULE}
    assert ci.api.post("/v1/keys/rules", json=body, headers=bearer(role)).status_code == 403


def test_an_issuer_that_no_operator_listed_is_refused(sqlite: Any, ci: Platform) -> None:
    response = ci.rule(issuer="https://evil.test")
    assert (response.status_code, "PROMPTUARY_KEYLESS_ISSUERS" in response.text) == (422, True)


def test_projects_do_not_see_each_others_rules_and_two_that_fit_are_named(
    database: Any, ci: Platform, bearer: Callable[..., dict[str, str]]
) -> None:
    rule = ci.rule().json()["id"]
    shop = Platform(ci.api, ci.issuer, ci.clock, bearer("lead", "shop"))
    assert shop.api.get("/v1/keys/rules", headers=shop.headers).json()["items"] == []
    assert shop.api.delete(f"/v1/keys/rules/{rule}", headers=shop.headers).status_code == 404
    assert ci.exchange(GITHUB, project="shop").status_code == 403
    shop.rule()
    assert ci.exchange(GITHUB).status_code == 409
    assert ci.exchange(GITHUB, project="shop").json()["project"] == "shop"


@pytest.mark.parametrize("issuers", ['{"http://ci.test": "github"}', '{"https://ci.test": "jenkins"}', "[]"])
def test_a_platform_that_cannot_be_asked_stops_the_start(
    sqlite: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, issuers: str
) -> None:
    monkeypatch.setenv("PROMPTUARY_KEYLESS_ISSUERS", issuers)
    with pytest.raises(InvalidSettings) as refused:
        create_app(read_settings(data_dir=settings.data_dir), database=sqlite)
    assert refused.value.field_errors[0].path.startswith("PROMPTUARY_KEYLESS_ISSUERS")
