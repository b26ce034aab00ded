import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.api.routers import COMPATIBLE, ROUTERS
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.evaluation.datasets import upload

VERSION = {"type": "text", "template": "Hi {{name}}"}


def test_a_write_is_committed_before_the_first_byte_of_its_answer(database: Database, app: Any, settings: Any) -> None:
    """FastAPI's own dependencies commit after the answer; a client that reads at once would not find what it wrote."""
    other, seen = Database(settings.sql_url), []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def out(message: Any) -> None:
            if message["type"] == "http.response.start":
                with other.read() as session:
                    seen.append(session.connection().execute(text("SELECT count(*) FROM version")).scalar_one())
            await send(message)

        await app({**scope, LOCAL_PROJECT: "default"}, receive, out)

    with TestClient(watched, base_url="http://127.0.0.1") as client:
        for number in (1, 2):
            headers = {"Idempotency-Key": f"k{number}"} if number == 2 else {}
            body = VERSION | {"message": "", "template": f"v{number}"}
            assert client.post("/v1/prompts/a/versions", json=body, headers=headers).status_code == 201
    other.dispose()
    assert seen == [1, 2]


def test_the_process_reports_that_it_runs_and_that_it_is_ready(api: Any, database: Database) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    assert api.get("/readyz").json() == {"status": "ready"}
    with database.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert api.get("/healthz").status_code == 200


def test_every_answer_has_the_security_headers_and_an_id_of_its_own(api: Any) -> None:
    ids = set()
    for path in ("/healthz", "/v1/self", "/nothing", "/openapi.json"):
        headers = api.get(path).headers
        assert (headers["x-content-type-options"], headers["referrer-policy"], headers["x-frame-options"]) == (
            "nosniff",
            "no-referrer",
            "DENY",
        )
        ids.add(headers["x-request-id"])
    assert len(ids) == 4


def test_a_request_is_one_log_line_without_its_key_and_a_health_check_none(
    api: Any, bearer: Callable[..., dict[str, str]]
) -> None:
    headers = bearer("reader")
    with capture_logs() as logs:
        api.get("/v1/prompts?search=x", headers=headers)
        api.get("/healthz")
    (entry,) = logs
    assert (entry["event"], entry["method"], entry["path"], entry["status"]) == ("request", "GET", "/v1/prompts", 200)
    assert headers["Authorization"][7:] not in str(logs)


def test_the_description_of_the_api_names_every_call(api: Any) -> None:
    description = api.get("/openapi.json").json()
    assert description["info"]["title"] == "Promptuary"
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    assert all(operation.get("description") for operation in operations)
    assert api.get("/docs").status_code == 200


def test_every_list_has_pages(app: Any) -> None:
    """A list answers `items` and `next_cursor`, and takes `limit` and `cursor`.

    A ranking of the nearest ends by itself, and figures over time have as many groups as their time has.
    """
    schema = app.app.openapi()
    rankings, figures = set(), set()
    for path, item in schema["paths"].items():
        answer = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
        reference = answer.get("schema", {}).get("$ref", "").rpartition("/")[2]
        assert answer.get("schema", {}).get("type") != "array", path
        properties = schema["components"]["schemas"].get(reference, {}).get("properties", {})
        if properties.get("items", {}).get("type") == "array":
            parameters = {parameter["name"] for parameter in item["get"]["parameters"]}
            if "min_score" in parameters:
                rankings.add(path)
                continue
            if {"from", "to"} <= parameters and "cursor" not in parameters:
                figures.add(path)
                continue
            assert {"limit", "cursor"} <= parameters, path
            assert "next_cursor" in properties, path
    assert rankings == {"/v1/search", "/v1/prompts/{name}/similar"}
    assert figures == {"/v1/traffic", "/v1/prompts/{name}/traffic"}


@pytest.mark.parametrize("path", ["/v1/prompts", "/v1/prompts/p0/versions", "/v1/keys", "/v1/projects", "/v1/audit"])
def test_walking_a_list_page_by_page_returns_every_item_once(local: Any, database: Database, path: str) -> None:
    for number in range(4):
        local.post(f"/v1/prompts/p{number}/versions", json=VERSION)
        local.post("/v1/prompts/p0/versions", json=VERSION | {"template": f"{number}"})
        local.post("/v1/keys", json={"name": f"k{number}", "role": "reader"})
        local.post("/v1/projects", json={"name": f"project-{number}"})
    whole = local.get(path, params={"limit": 100}).json()
    assert whole["next_cursor"] is None
    walked, cursor = [], None
    for _ in range(100):
        page = local.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 2
        walked += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == whole["items"]
    assert len(walked) >= 4


def test_an_app_without_a_database_creates_one_and_closes_it(tmp_path: Any) -> None:
    app = create_app(read_settings(data_dir=tmp_path / "data"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == 200
    assert (tmp_path / "data" / "promptuary.db").exists()


def test_the_models_of_bodies_are_built_at_the_start() -> None:
    """FastAPI would build a deferred one at its first request, and warn of its own fields."""
    bodies = [route.body_field for router in (*ROUTERS, *COMPATIBLE) for route in router.routes if hasattr(route, "body_field")]
    models = [body.field_info.annotation for body in bodies if hasattr(body, "field_info")]
    assert len(models) > 20
    assert [model for model in models if not getattr(model, "__pydantic_complete__", True)] == []


def test_no_two_routers_answer_the_same_call() -> None:
    routers = (*ROUTERS, *COMPATIBLE)
    routes = [
        route for router in routers if router is not upload.router for route in router.routes
    ]  # distinguished by media type
    calls = [(method, route.path) for route in routes for method in route.methods]  # type: ignore[attr-defined] # all are API routes
    assert len(set(calls)) == len(calls)


@pytest.mark.parametrize("path", ["/v1/prompts/a/versions", "/v1/prompts/a/preview"])
def test_a_body_is_parsed_once(local: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    parsed, parse = [], json.loads

    def counted(text: Any, *arguments: Any, **options: Any) -> Any:
        if '"tags"' in str(text) and '"message"' in str(text):  # the body, not a part of it that is encoded again
            parsed.append(text)
        return parse(text, *arguments, **options)

    monkeypatch.setattr(json, "loads", counted)
    response = local.post(path, json=VERSION | {"message": "new", "tags": []})
    assert response.status_code < 300
    assert len(parsed) == 1
