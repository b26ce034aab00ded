"""A pipeline runs suites as they are stored; it changes what judges it only where a lead allowed that."""

from collections.abc import Callable
from typing import Any

import pytest

Headers = dict[str, str]
SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
    "gate": [{"metric": "exact", "at_least": 0.8}],
}
CASES = {"cases": [{"id": "a", "vars": {"word": "x"}, "expected": "x"}]}
CHANGED_CASES = {"cases": [{"id": "a", "vars": {"word": "x"}, "expected": "y"}]}
SCHEDULE = {"suite": "words", "cron": "0 3 * * *"}


@pytest.fixture
def stored(local: Any) -> Any:
    """A dataset, a suite, a schedule and a collection of the project."""
    assert local.post("/v1/datasets/words/versions", json=CASES).status_code == 201
    assert local.put("/v1/suites/words", json=SUITE).status_code == 200
    assert local.put("/v1/schedules/nightly", json=SCHEDULE).status_code == 200
    assert local.put("/v1/collections/docs", json={}).status_code in (200, 201)
    return local


def changes(api: Any, headers: Headers) -> dict[str, int]:
    """Try each change; return the statuses."""
    weaker = {**SUITE, "gate": []}
    lines = {**headers, "Content-Type": "application/x-ndjson"}
    line = b'{"id": "a", "vars": {"word": "x"}, "expected": "z"}\n'
    document = {"documents": [{"id": "d", "text": "new"}]}
    return {
        "suite": api.put("/v1/suites/words", json=weaker, headers=headers).status_code,
        "new suite": api.put("/v1/suites/other", json={**SUITE, "name": "other"}, headers=headers).status_code,
        "dataset": api.post("/v1/datasets/words/versions", json=CHANGED_CASES, headers=headers).status_code,
        "dataset file": api.post("/v1/datasets/words/versions", content=line, headers=lines).status_code,
        "schedule": api.put("/v1/schedules/nightly", json={**SCHEDULE, "paused": True}, headers=headers).status_code,
        "pause": api.post("/v1/schedules/nightly/pause", headers=headers).status_code,
        "collection": api.put("/v1/collections/docs", json={"description": "x"}, headers=headers).status_code,
        "documents": api.post("/v1/collections/docs/documents", json=document, headers=headers).status_code,
    }


def test_a_pipeline_changes_nothing_that_it_is_judged_by(api: Any, stored: Any, bearer: Callable[..., Headers]) -> None:
    assert set(changes(api, bearer("ci")).values()) == {403}
    assert stored.get("/v1/suites/words").json()["definition"]["gate"] != []
    assert stored.get("/v1/datasets/words").json()["version"] == 1


def test_a_pipeline_may_send_what_is_stored_already(api: Any, stored: Any, bearer: Callable[..., Headers]) -> None:
    headers = bearer("ci")
    assert api.put("/v1/suites/words", json=SUITE, headers=headers).status_code == 200
    assert api.post("/v1/datasets/words/versions", json=CASES, headers=headers).status_code == 200


def test_the_refusal_of_a_change_names_the_grant(api: Any, stored: Any, bearer: Callable[..., Headers]) -> None:
    problem = api.put("/v1/suites/words", json={**SUITE, "gate": []}, headers=bearer("ci")).json()
    assert "--allow suite:write" in problem["detail"]


def test_a_pipeline_changes_what_a_lead_allowed_and_nothing_else(api: Any, stored: Any, bearer: Callable[..., Headers]) -> None:
    body = {"name": "pipeline", "role": "ci", "grants": ["suite:write"]}
    key = api.post("/v1/keys", json=body, headers=bearer("lead")).json()["key"]
    statuses = changes(api, {"Authorization": f"Bearer {key}"})
    assert {name for name, status in statuses.items() if status == 403} == {
        "dataset",
        "dataset file",
        "schedule",
        "pause",
        "collection",
        "documents",
    }
    assert statuses["suite"] == 200
