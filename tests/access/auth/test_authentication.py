"""Authentication and scopes over HTTP: every route against every role, and every way to be refused."""

import base64
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from sqlalchemy import text

from promptuary.access.api_key import ApiKey, generate_key
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import SCOPE_ATTRIBUTE, authorize
from promptuary.access.role import FORMER_NAMES, SCOPES, Role, Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.api.routers import COMPATIBLE, ROUTERS, check_scopes

VERSION = {"type": "text", "template": "Hi {{name}}"}
UNKNOWN = ApiKey("a" * 12, "b" * 40)


def declared_scope(route: Any) -> Scope:
    return next(
        getattr(inner.call, SCOPE_ATTRIBUTE) for inner in route.dependant.dependencies if hasattr(inner.call, SCOPE_ATTRIBUTE)
    )


ROUTES = [
    (method, re.sub(r":\w+\}", "}", route.path), declared_scope(route))
    for router in (*ROUTERS, *COMPATIBLE)
    for route in router.routes
    for method in route.methods
]


NEEDED: list[tuple[str, Scope]] = [
    (r"GET (/v1/traffic|/v1/prompts/{}/(traffic(/comparison)?|online-scores))", Scope.TRAFFIC_READ),
    (r"GET (/v1/feedback|/v1/prompts/{}/input-drift)", Scope.OBSERVATION_READ),
    (r"POST /v1/traffic/(datasets|runs)", Scope.OBSERVATION_READ),  # with dataset:write, since they change something
    (r"\w+ /v1/traffic/rules(/{})?", Scope.TRAFFIC_MANAGE),
    (r"POST /v1/(observations|otlp/v1/(traces|logs|metrics))", Scope.TRAFFIC_SEND),
    (r"POST /api/public/otel/v1/traces", Scope.TRAFFIC_SEND),
    (r"POST /v1/observations/erase", Scope.OBSERVATION_ERASE),
    (r"POST /v1/feedback", Scope.FEEDBACK_SEND),
    (r"\w+ /v1/audit(/(verify|head))?", Scope.AUDIT_READ),
    (r"\w+ /v1/keys(/.*)?", Scope.KEY_MANAGE),
    (r"\w+ /v1/people(/.*)?", Scope.PERSON_MANAGE),
    (r"\w+ /v1/sessions(/.*)?", Scope.SESSION_OWN),
    (r"\w+ /v1/projects(/.*)?", Scope.PROJECT_MANAGE),
    (r"GET /v1/self", Scope.SELF_READ),
    (r"GET /v1/(stream|prompts(/{})?)", Scope.PROMPT_LOOKUP),
    (r"GET /v1/prompts(/.*)?", Scope.PROMPT_READ),
    (r"GET /v1/search", Scope.PROMPT_READ),
    (r"POST /v1/search/reindex", Scope.CONTEXT_WRITE),
    (r"POST /v1/prompts/{}/render", Scope.PROMPT_RENDER),
    (r"POST /v1/prompts/{}/preview", Scope.PROMPT_READ),
    (r"POST /v1/prompts/{}/versions/{}/erase", Scope.PROMPT_ERASE),
    (r"POST /v1/prompts/{}/(versions|renew)", Scope.PROMPT_WRITE),
    (r"PUT /v1/prompts/{}(/versions/{})?/tags", Scope.PROMPT_WRITE),
    (r"POST /v1/prompts/{}/(archive|restore)", Scope.LABEL_MOVE),
    (r"POST /v1/prompts/{}/import(/preview)?", Scope.PROMPT_IMPORT),
    (r"(PUT|POST|DELETE) /v1/prompts/{}/labels/{}(/rollback)?", Scope.LABEL_MOVE),
    (r"GET /v1/collections(/.*)?", Scope.CONTEXT_READ),
    (r"POST /v1/collections/{}/query", Scope.CONTEXT_READ),
    (r"(PUT|POST|DELETE) /v1/collections/{}(/documents(/{})?|/reindex)?", Scope.CONTEXT_WRITE),
    (r"GET /v1/(datasets|suites|runs|evidence|schedules|alerts)(/.*)?", Scope.RUN_READ),
    (r"POST /v1/datasets/{}/gold", Scope.REVIEW_ADJUDICATE),
    (r"(PUT|POST) /v1/(datasets|suites|runs)(/.*)?", Scope.RUN_WRITE),
    (r"POST /v1/schedules/{}/now", Scope.RUN_WRITE),
    (r"(PUT|POST|DELETE) /v1/schedules/{}(/(pause|resume))?", Scope.SCHEDULE_WRITE),
    (r"POST /v1/alerts/{}/seen", Scope.SCHEDULE_WRITE),
    (r"\w+ /v1/claims/(release|{}(/\w+)?)", Scope.REVIEW_DECIDE),
    (r"POST /v1/queues/{}/claims", Scope.REVIEW_DECIDE),
    (r"POST /v1/queues/{}/adjudications", Scope.REVIEW_ADJUDICATE),
    (r"GET /v1/queues/{}/position-bias", Scope.REVIEW_READ),  # without review:manage, of finished pairs
    (r"GET /v1/queues(/{}(/agreement|/disagreements)?)?", Scope.REVIEW_READ),  # without review:manage, of finished items
    (r"\w+ /v1/queues/{}(/(items|export|corrections|ranking|judge|tuning))?", Scope.REVIEW_MANAGE),
    (r"(GET|PUT) /v1/traffic/settings", Scope.TRAFFIC_MANAGE),
    (r"GET /v1/observations(/{})?", Scope.OBSERVATION_READ),
    (r"GET /v1/me/decisions", Scope.REVIEW_DECIDE),
    (r"POST /v1/decisions/{}/undo", Scope.REVIEW_DECIDE),
    (r"GET /v1/judges(/{}/calibration)?", Scope.RUN_READ),
    (r"POST /mcp", Scope.PROMPT_LOOKUP),
    (r"GET /langsmith/commits/{}/{}", Scope.PROMPT_READ),
    (r"GET /phoenix/v1/prompts/{}/versions", Scope.PROMPT_READ),
    (r"GET /(langsmith|phoenix)/.*", Scope.PROMPT_LOOKUP),
    (r"(POST|PATCH|DELETE) /(langsmith|phoenix)/.*", Scope.PROMPT_WRITE),  # refused with a message
    (r"\w+ /v1/webhooks(/.+)?", Scope.WEBHOOK_MANAGE),
    (r"(GET|POST|DELETE) /v1/outbox/parked(/{}(/retry)?)?", Scope.PROJECT_MANAGE),
    (r"GET /api/public/(projects|v2/prompts(/{})?)", Scope.PROMPT_LOOKUP),
    (r"(POST|DELETE) /api/public/v2/prompts(/{})?", Scope.PROMPT_WRITE),
    (r"PATCH /api/public/v2/prompts/{}/versions/{}", Scope.LABEL_MOVE),
    (r"GET /api/2.0/mlflow/model-versions/search", Scope.PROMPT_READ),
    (r"GET /api/2.0/mlflow/(registered-models|model-versions)/\w+", Scope.PROMPT_LOOKUP),
    (
        r"POST /api/2.0/mlflow/registered-models/set-tag",
        Scope.PROMPT_LOOKUP,
    ),  # for a reader's note of its experiment; any other tag needs prompt:write
    (r"(POST|DELETE) /api/2.0/mlflow/registered-models/alias", Scope.LABEL_MOVE),
    (
        r"(POST|DELETE) /api/2.0/mlflow/(registered-models|model-versions)/(create|set-tag|delete|delete-tag)",
        Scope.PROMPT_WRITE,
    ),
]
"""What each call needs, the first pattern that fits; a new kind of call is decided here too."""


@pytest.mark.parametrize(("method", "path", "scope"), sorted(ROUTES))
def test_every_call_needs_the_scope_that_was_decided_for_it(method: str, path: str, scope: Scope) -> None:
    call = re.sub(r"\{[^}]+\}", "{}", f"{method} {path}")
    assert next((needed for pattern, needed in NEEDED if re.fullmatch(pattern, call)), None) is scope


def test_every_route_but_the_health_checks_and_the_documentation_is_in_the_matrix(app: Any) -> None:
    paths = {path for _, path, _ in ROUTES}
    by_their_body = {"/v1/oidc", "/v1/oidc/authorizations", "/v1/oidc/sessions", "/v1/keys/exchange"}
    assert set(app.app.openapi()["paths"]) - paths == {"/healthz", "/readyz", "/metrics"} | by_their_body
    assert paths <= set(app.app.openapi()["paths"])


@pytest.mark.parametrize("role", Role)
def test_a_role_reaches_the_routes_of_its_scopes_and_no_other(
    api: Any, bearer: Callable[..., dict[str, str]], role: Role
) -> None:
    headers, wrong = bearer(role) | {"Last-Event-ID": "none"}, []  # so that the stream is refused for that and ends
    for method, path, scope in ROUTES:
        body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        status = api.request(method, re.sub(r"\{[^}]+\}", "1", path), headers=headers, **body).status_code
        if status == 401 or (status == 403) is (scope in SCOPES[role]):
            wrong.append(f"{role} {method} {path} ({scope}): {status}")
    assert wrong == []


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _ in ROUTES}))
def test_no_route_answers_without_a_key(api: Any, method: str, path: str) -> None:
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    answer = api.request(method, re.sub(r"\{[^}]+\}", "1", path), **body)
    assert answer.status_code == 401
    problem, scheme = answer.json(), answer.headers["www-authenticate"]
    if path.startswith(("/langsmith/", "/phoenix/")):
        assert (set(problem), scheme) == ({"detail"}, "Bearer")
    elif not path.startswith("/api/"):
        assert (problem["code"], scheme) == ("not_authenticated", "Bearer")
    else:
        assert (problem.get("error_code") or problem["error"]) in ("UNAUTHENTICATED", "UnauthorizedError")
        assert scheme == 'Basic realm="Promptuary", Bearer'


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize("path", ["/api/public/projects", "/api/2.0/mlflow/registered-models/search"])
def test_only_a_compatible_route_takes_the_key_as_a_password_too(api: Any, key: Callable[..., str], path: str) -> None:
    text = key("reader")
    for header in (basic(f"pk-any:{text}"), basic(f":{text}"), basic(f"é:{text}").replace("Basic", "basic"), f"Bearer {text}"):
        assert api.get(path, headers={"Authorization": header}).status_code == 200
    answer = api.get("/v1/self", headers={"Authorization": basic(f"pk-any:{text}")})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ", "Basic !", basic(b"\xff:\xff"), basic("pk"), basic("pk:"), "Digest x"]
)
def test_a_compatible_route_refuses_what_is_no_password(api: Any, header: str) -> None:
    answer = api.get("/api/public/projects", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (401, "UnauthorizedError")
    assert "as the password of HTTP Basic" in answer.json()["message"]


def test_a_key_in_the_place_of_the_user_is_refused(api: Any, key: Callable[..., str]) -> None:
    text = key("reader")
    answer = api.get("/api/public/projects", headers={"Authorization": basic(f"{text}:other")})
    assert answer.status_code == 401
    assert text not in answer.text


def test_scopes_grow_with_the_role_and_a_pipeline_approves_nothing() -> None:
    grown = [Role.SERVICE, Role.CI, Role.EDITOR, Role.LEAD, Role.ADMIN, Role.OPERATOR]
    assert all(SCOPES[lower] < SCOPES[higher] for lower, higher in pairwise(grown))
    assert SCOPES[Role.OPERATOR] == set(Scope)
    assert SCOPES[Role.VIEWER] | SCOPES[Role.REVIEWER] < SCOPES[Role.EDITOR]
    assert {role: SCOPES[role] for role in FORMER_NAMES} == {old: SCOPES[new] for old, new in FORMER_NAMES.items()}
    assert not SCOPES[Role.CI] & {Scope.LABEL_MOVE, Scope.REVIEW_DECIDE, Scope.KEY_MANAGE}


def undeclared() -> APIRouter:
    router = APIRouter()

    @router.get("/open")
    def open_to_all() -> None:
        """Declare no scope."""

    return router


def twice() -> APIRouter:
    router = APIRouter(route_class=IdempotentRoute)

    @router.get("/twice")
    def declare_twice(
        reading: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)],
        managing: Annotated[UnitOfWork, authorize(Scope.KEY_MANAGE)],
    ) -> None:
        """Declare two scopes, of which only one would apply."""

    return router


def nested() -> APIRouter:
    router = APIRouter()
    router.include_router(undeclared())
    return router


@pytest.mark.parametrize("router", [undeclared(), twice(), nested()], ids=["none", "two", "none, in an included router"])
def test_an_app_with_a_route_that_does_not_declare_one_scope_is_not_assembled(router: APIRouter) -> None:
    with pytest.raises(RuntimeError, match=r"does not declare one scope with authorize\(…\)"):
        check_scopes(router)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer nonsense",
        f"Bearer {UNKNOWN}",
        f"Token {UNKNOWN}",
        "Bearer pmt_x_é",
    ],
)
def test_a_header_without_a_known_key_is_refused(api: Any, key: Callable[..., str], header: str) -> None:
    key("reader")
    answer = api.get("/v1/self", headers={"Authorization": header.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert "pmt_x" not in answer.text


def test_a_space_that_an_exporter_sends_as_it_was_escaped_is_a_space(api: Any, key: Callable[..., str]) -> None:
    headers = {"authorization": f"Bearer%20{key('reader')}"}
    assert api.get("/v1/prompts", headers=headers).status_code == 200


def test_expired_revoked_mistyped_and_unknown_keys_get_the_same_answer(
    api: Any, local: Any, key: Callable[..., str], clock: Any
) -> None:
    expired, revoked, good = key("reader", days=1), key("reader"), key("reader")
    assert local.delete(f"/v1/keys/{revoked.split('_')[1]}").status_code == 204
    clock.move(days=2)
    responses = [
        api.get("/v1/self", headers={"Authorization": f"Bearer {text}"})
        for text in (expired, revoked, good[:-1], str(generate_key()))
    ]
    assert {response.status_code for response in responses} == {401}
    assert len({response.text for response in responses}) == 1
    assert api.get("/v1/self", headers={"Authorization": f"bearer  {good} "}).status_code == 200


def test_a_key_in_the_query_string_is_refused_and_its_owner_is_warned(api: Any, key: Callable[..., str]) -> None:
    text = key("reader")
    answer = api.get(f"/v1/self?api_key={text}", headers={"Authorization": f"Bearer {text}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert "revoke it" in answer.json()["detail"]
    assert text not in answer.text


def test_a_key_knows_its_own_role_and_scopes(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    headers = bearer("reader", "shop")
    assert api.get("/v1/self", headers=headers).json() == {
        "project": "shop",
        "actor": "key:a reader",
        "actor_id": f"service:{headers['Authorization'].split('_')[1]}",
        "role": "reader",
        "scopes": ["feedback:send", "prompt:lookup", "prompt:render", "self:read", "traffic:send"],
    }


def test_a_keys_text_is_only_in_the_answer_that_created_it(local: Any, api: Any) -> None:
    created = local.post("/v1/keys", json={"name": "app", "role": "reader", "days": 30}).json()
    assert api.get("/v1/self", headers={"Authorization": f"Bearer {created['key']}"}).status_code == 200
    for path in ("/v1/keys", "/v1/audit"):
        text = local.get(path).text
        assert created["id"] in text
        assert created["key"].split("_")[2] not in text
        assert "hash" not in text


def test_a_keys_text_is_not_stored_for_a_retry_either(local: Any, database: Any) -> None:
    request = {"json": {"name": "app", "role": "reader"}, "headers": {"Idempotency-Key": "k"}}
    created, again = local.post("/v1/keys", **request).json(), local.post("/v1/keys", **request)
    assert (again.status_code, again.json()["id"]) == (201, created["id"])
    with database.read() as session:
        stored_body = session.connection().execute(text("SELECT body FROM idempotency")).scalar_one()
    for visible_text in (again.text, stored_body):
        assert created["key"].split("_")[2] not in visible_text


def test_another_projects_things_are_not_found(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    here, there = bearer("admin"), bearer("admin", "shop")
    assert api.post("/v1/prompts/secret/versions", json=VERSION | {"labels": ["production"]}, headers=here).status_code == 201
    id_ = here["Authorization"].split("_")[1]
    for method, path, body in [
        ("GET", "/v1/prompts/secret", None),
        ("GET", "/v1/prompts/secret?version=1", None),
        ("GET", "/v1/prompts/secret/versions", None),
        ("GET", "/v1/prompts/secret/versions/1", None),
        ("GET", "/v1/prompts/secret/labels/production/history", None),
        ("PUT", "/v1/prompts/secret/labels/production", {"version": 1}),
        ("POST", "/v1/prompts/secret/labels/production/rollback", {}),
        ("DELETE", f"/v1/keys/{id_}", None),
    ]:
        answer = api.request(method, path, headers=there, **({} if body is None else {"json": body}))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert api.get("/v1/prompts", headers=there).json()["items"] == []
    assert id_ not in api.get("/v1/keys", headers=there).text
    assert api.get("/v1/audit", headers=there).text.count("version.created") == 0
    assert api.get("/v1/prompts/secret", headers=here).status_code == 200


def test_the_same_name_in_two_projects_is_two_prompts(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    here, there = bearer("author"), bearer("author", "shop")
    for template in ("one", "two"):
        api.post("/v1/prompts/p/versions", json=VERSION | {"template": template}, headers=here)
    assert api.post("/v1/prompts/p/versions", json=VERSION, headers=there).json()["version"] == 1
    assert api.get("/v1/prompts/p?label=latest", headers=here).json()["version"] == 2


def test_a_readers_key_writes_nothing(api: Any, bearer: Callable[..., dict[str, str]], local: Any) -> None:
    answer = api.post("/v1/prompts/p/versions", json=VERSION, headers=bearer("reader"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "the scope 'prompt:write'" in answer.json()["detail"]
    assert local.get("/v1/prompts").json()["items"] == []


def test_a_pipelines_key_registers_but_labels_nothing(api: Any, bearer: Callable[..., dict[str, str]], local: Any) -> None:
    headers = bearer("ci")
    assert api.post("/v1/prompts/p/versions", json=VERSION, headers=headers).status_code == 201
    labelled = VERSION | {"template": "other", "labels": ["production"]}
    assert api.post("/v1/prompts/p/versions", json=labelled, headers=headers).status_code == 403
    assert api.put("/v1/prompts/p/labels/production", json={"version": 1}, headers=headers).status_code == 403
    assert len(local.get("/v1/prompts/p/versions").json()["items"]) == 1


def test_the_chain_of_the_audit_is_read_and_verified_over_http(local: Any) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION | {"labels": ["production"]})
    page = local.get("/v1/audit?limit=1").json()
    assert [row["action"] for row in page["items"]] == ["version.created"]
    rest = local.get("/v1/audit", params={"cursor": page["next_cursor"]}).json()["items"]
    assert [row["action"] for row in rest] == ["label.moved"]
    assert local.get("/v1/audit/verify").json() == {"rows": 2, "broken_at": None, "reason": None}
