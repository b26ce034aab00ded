"""Datasets and runs made of sampled calls, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.evaluation.execution.executor import RunExecutor

SINCE = "2026-03-01T00:00:00Z"
SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "yes", "name": "exact"}],
}


@pytest.fixture
def stocked(local: Any, store_calls: StoreCalls) -> Any:
    """A client of a server with a prompt, a suite and two sampled calls, one of them without variables."""
    assert local.post("/v1/prompts/word/versions", json={"type": "text", "template": "{{text}}"}).status_code == 201
    cases = [{"id": "c1", "vars": {"text": "yes"}}]
    assert local.post("/v1/datasets/words/versions", json={"cases": cases}).status_code == 201
    assert local.put("/v1/suites/words", json=SUITE).status_code == 200
    store_calls(StoredCall("call-1", {"text": "yes"}, probability=0.1), StoredCall("call-2", None))
    return local


def test_a_dataset_is_made_of_sampled_calls(stocked: Any) -> None:
    body = {"prompt": "word", "dataset": "real", "since": SINCE}
    answer = stocked.post("/v1/traffic/datasets", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "dataset": "real",
        "version": 1,
        "cases": 1,
        "calls": 2,
        "added": 1,
        "present": 0,
        "dropped": {"without variables": 1},
        "dropped_share": pytest.approx(1 / 11),
        "examples": {"without variables": ["call-2"]},
    }
    (case,) = stocked.get("/v1/datasets/real").json()["items"]
    assert (case["id"], case["weight"], case["vars"]) == ("call-1", 10.0, {"text": "yes"})
    assert stocked.post("/v1/traffic/datasets", json=body).json()["added"] == 0


def test_a_run_on_traffic_is_queued_and_its_plan_says_so(stocked: Any, executor: RunExecutor) -> None:
    answer = stocked.post("/v1/traffic/runs", json={"suite": "words", "version": 1, "since": SINCE})
    assert answer.status_code == 202, answer.text
    traffic = answer.json()["plan"]["traffic"]
    assert (traffic["calls"], traffic["replayed"], traffic["dropped"]) == (2, 1, {"without variables": 1})
    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)
    run = stocked.get(f"/v1/runs/{answer.json()['id']}").json()
    assert [variant["name"] for variant in run["summary"]["variants"]] == ["v1", "production"]
    assert run["targets"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"limit": 0}, "limit"),
        ({"stratum": "strange"}, "stratum"),
        ({"dataset": "../x"}, "dataset"),
        ({"version": 1}, "version"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_request_that_is_not_valid_names_its_field(stocked: Any, changes: dict[str, Any], field: str) -> None:
    body = {"prompt": "word", "dataset": "real", "since": SINCE} | changes
    answer = stocked.post("/v1/traffic/datasets", json=body)
    assert answer.status_code == 422
    assert field in str(answer.json()["errors"])


def test_contents_of_calls_need_their_scope(stocked: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    body = {"prompt": "word", "dataset": "real", "since": SINCE}
    for role in ("viewer", "reviewer", "ci", "service"):
        assert api.post("/v1/traffic/datasets", json=body, headers=bearer(role)).status_code == 403
    run = {"suite": "words", "since": SINCE}
    assert api.post("/v1/traffic/runs", json=run, headers=bearer("ci")).status_code == 403
    assert api.post("/v1/traffic/runs", json=run, headers=bearer("editor")).status_code == 202
