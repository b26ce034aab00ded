"""An application's key looks up, follows and renders; it reads no history, no documents and no other version's list."""

from collections.abc import Callable
from typing import Any

import pytest

Headers = dict[str, str]


@pytest.fixture(params=["service", "reader"])
def headers(request: pytest.FixtureRequest, local: Any, bearer: Callable[..., Headers]) -> Headers:
    """The header of an application's key, in a project with a prompt and a collection."""
    body = {"type": "text", "template": "Hi {{name}}", "labels": ["production"]}
    local.post("/v1/prompts/greeting/versions", json=body)
    local.put("/v1/collections/docs", json={})
    return bearer(request.param)


def test_an_application_looks_up_and_renders(api: Any, headers: Headers) -> None:
    assert api.get("/v1/prompts/greeting?version=1", headers=headers).status_code == 200
    assert api.get("/v1/prompts", headers=headers).status_code == 200
    rendered = api.post("/v1/prompts/greeting/render", json={"variables": {"name": "Eve"}}, headers=headers)
    assert rendered.json()["text"] == "Hi Eve"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/prompts/greeting/versions",
        "/v1/prompts/greeting/versions/1",
        "/v1/prompts/greeting/labels/production/history",
        "/v1/prompts/greeting/labels/production",
        "/v1/prompts/greeting/events",
        "/v1/prompts/greeting/dependents",
        "/v1/prompts/greeting/diff?from=1&to=1",
        "/v1/search?q=greeting",
        "/v1/collections",
        "/v1/collections/docs/documents",
        "/v1/suites",
        "/v1/runs",
        "/v1/datasets",
        "/v1/queues",
        "/v1/keys",
        "/v1/audit",
        "/v1/people",
        "/v1/sessions",
        "/api/2.0/mlflow/model-versions/search?filter=name%3D%27greeting%27",
        "/phoenix/v1/prompts/greeting/versions",
        "/langsmith/commits/-/greeting",
    ],
)
def test_an_application_reads_nothing_else(api: Any, headers: Headers, path: str) -> None:
    assert api.get(path, headers=headers).status_code == 403


def test_an_application_queries_no_documents(api: Any, headers: Headers) -> None:
    assert api.post("/v1/collections/docs/query", json={"query": "x", "k": 1}, headers=headers).status_code == 403
