"""Evaluations over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.execution.executor import RunExecutor

Make = Callable[..., Any]
CASES = [
    {"id": "c1", "vars": {"text": "yes"}, "expected": "yes", "cluster": "k", "tags": ["short"]},
    {"id": "c2", "vars": {"text": "no"}, "expected": "yes"},
]
SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
}


@pytest.fixture
def stocked(local: Any) -> Any:
    """A client of a server with a prompt, a dataset and a suite."""
    assert local.post("/v1/prompts/word/versions", json={"type": "text", "template": "{{text}}"}).status_code == 201
    assert local.post("/v1/datasets/words/versions", json={"cases": CASES}).status_code == 201
    assert local.put("/v1/suites/words", json=SUITE).status_code == 200
    return local


def test_a_run_is_queued_done_read_and_compared(stocked: Any, executor: RunExecutor) -> None:
    answer = stocked.post("/v1/runs", json={"suite": "words"})
    assert answer.status_code == 202
    run = answer.json()
    assert (run["state"], run["total"], run["done"], run["verdict"]) == ("queued", 2, 0, None)
    assert run["plan"]["dataset"]["number"] == 1
    assert "content" not in run["variants"][0]

    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)

    done = stocked.get(f"/v1/runs/{run['id']}").json()
    assert (done["state"], done["verdict"], done["done"]) == ("finished", "no gate", 2)
    assert done["summary"]["variants"][0]["metrics"]["exact"]["interval"]["estimate"] == 0.5

    results = stocked.get(f"/v1/runs/{run['id']}/results?limit=1").json()
    (first,) = results["items"]
    assert (first["case"], first["variant"], first["repeat"], first["pass"], first["score"]) == ("c1", "v1", 0, True, 1.0)
    assert (first["metrics"], first["output"], first["error"]) == ({"exact": 1.0}, "yes", None)
    assert (first["vars"], first["expected"], first["tags"]) == ({"text": "yes"}, "yes", ["short"])
    second = stocked.get(f"/v1/runs/{run['id']}/results?cursor={results['next_cursor']}").json()
    assert [(item["case"], item["pass"]) for item in second["items"]] == [("c2", False)]
    failed = stocked.get(f"/v1/runs/{run['id']}/results?passed=false&variant=v1").json()
    assert [item["case"] for item in failed["items"]] == ["c2"]

    compared = stocked.get(f"/v1/runs/{run['id']}/compare?baseline={run['id']}").json()
    assert (compared["cases"], compared["same_dataset"]) == (2, True)
    assert compared["comparisons"][0]["interval"]["estimate"] == 0.0


def test_a_dataset_is_versioned_and_paged(stocked: Any) -> None:
    assert stocked.post("/v1/datasets/words/versions", json={"cases": CASES}).status_code == 200
    assert stocked.post("/v1/datasets/words/versions", json={"cases": CASES[:1]}).json()["version"] == 2

    newest = stocked.get("/v1/datasets/words").json()
    assert (newest["version"], newest["cases"], [case["id"] for case in newest["items"]]) == (2, 1, ["c1"])
    first = stocked.get("/v1/datasets/words?version=1&limit=1").json()
    assert first["items"][0] == CASES[0] | {"metadata": {}}
    rest = stocked.get(f"/v1/datasets/words?version=1&limit=1&cursor={first['next_cursor']}").json()
    assert ([case["id"] for case in rest["items"]], rest["next_cursor"]) == (["c2"], None)
    assert [item["name"] for item in stocked.get("/v1/datasets").json()["items"]] == ["words"]


def test_a_suite_is_given_back_as_it_was_put(stocked: Any) -> None:
    suite = stocked.get("/v1/suites/words").json()

    assert {name: suite["definition"][name] for name in ("name", "prompt", "dataset", "models")} == {
        name: SUITE[name] for name in ("name", "prompt", "dataset", "models")
    }
    assert suite["digest"].startswith("sha256:")
    assert [item["name"] for item in stocked.get("/v1/suites").json()["items"]] == ["words"]


def test_runs_are_listed_the_newest_first(stocked: Any, clock: Any) -> None:
    ids = []
    for _ in range(3):
        clock.move(seconds=1)
        ids.append(stocked.post("/v1/runs", json={"suite": "words"}).json()["id"])
    stocked.post(f"/v1/runs/{ids[0]}/cancel")

    first = stocked.get("/v1/runs?limit=2").json()
    rest = stocked.get(f"/v1/runs?cursor={first['next_cursor']}").json()

    assert [run["id"] for run in first["items"] + rest["items"]] == ids[::-1]
    assert [run["id"] for run in stocked.get("/v1/runs?state=cancelled").json()["items"]] == ids[:1]
    assert stocked.get("/v1/runs?suite=others").json()["items"] == []


def test_a_retried_submission_queues_one_run(stocked: Any) -> None:
    headers = {"Idempotency-Key": "ci-1"}
    first = stocked.post("/v1/runs", json={"suite": "words"}, headers=headers)
    again = stocked.post("/v1/runs", json={"suite": "words"}, headers=headers)

    assert first.json()["id"] == again.json()["id"]
    assert len(stocked.get("/v1/runs").json()["items"]) == 1


def test_a_run_that_is_over_cannot_be_cancelled(stocked: Any) -> None:
    run = stocked.post("/v1/runs", json={"suite": "words"}).json()["id"]

    assert stocked.post(f"/v1/runs/{run}/cancel").json()["state"] == "cancelled"
    again = stocked.post(f"/v1/runs/{run}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_run_that_waits_gets_another_ceiling_and_one_that_is_over_does_not(stocked: Any) -> None:
    run = stocked.post("/v1/runs", json={"suite": "words", "max_cost": 0.5}).json()["id"]

    resumed = stocked.post(f"/v1/runs/{run}/resume", json={"max_cost": 2.0})
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    assert stocked.get(f"/v1/runs/{run}").json()["plan"]["max_cost"] == 2.0
    for body in ({"max_cost": 0}, {"max_cost": "2"}, {"ceiling": 2}):
        assert stocked.post(f"/v1/runs/{run}/resume", json=body).status_code == 422

    stocked.post(f"/v1/runs/{run}/cancel")
    again = stocked.post(f"/v1/runs/{run}/resume", json={"max_cost": 3.0})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert stocked.post("/v1/runs/run_0/resume", json={}).status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"suite": "words", "surprise": 1}, "surprise"),
        ({"suite": "../words"}, "suite"),
        ({"suite": "words", "repeats": 0}, "repeats"),
        ({"suite": "words", "repeats": "3"}, "repeats"),
        ({"suite": "words", "version": 0}, "version"),
        ({"suite": "words", "models": []}, "models"),
        ({"suite": "words", "models": ["nowhere:model"]}, "models.0"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_field(stocked: Any, body: dict[str, Any], path: str) -> None:
    answer = stocked.post("/v1/runs", json=body)

    assert answer.status_code == 422
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert stocked.get("/v1/runs").json()["items"] == []


@pytest.mark.parametrize(
    "cases", [[], [CASES[0], CASES[0]], [{"id": "c1"}], [{"id": [], "vars": {}}], [{"id": "c1", "vars": {}, "extra": 1}]]
)
def test_cases_that_cannot_be_used_are_refused(local: Any, cases: list[Any]) -> None:
    assert local.post("/v1/datasets/words/versions", json={"cases": cases}).status_code == 422
    assert local.get("/v1/datasets/words").status_code == 404


def test_a_suite_lives_under_its_own_name(local: Any) -> None:
    answer = local.put("/v1/suites/others", json=SUITE)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "name"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/datasets/none",
        "/v1/suites/none",
        "/v1/runs/run_0",
        "/v1/runs/run_0/results",
        "/v1/runs/run_0/compare?baseline=run_1",
    ],
)
def test_what_is_not_there_is_404(local: Any, path: str) -> None:
    assert local.get(path).status_code == 404


def test_another_projects_runs_are_404(stocked: Any, api: Any, bearer: Make) -> None:
    run = stocked.post("/v1/runs", json={"suite": "words"}).json()["id"]
    stranger = bearer("author", "another")

    assert api.get(f"/v1/runs/{run}", headers=stranger).status_code == 404
    assert api.post(f"/v1/runs/{run}/cancel", headers=stranger).status_code == 404
    assert api.get("/v1/datasets/words", headers=stranger).status_code == 404
    assert api.get("/v1/runs", headers=stranger).json()["items"] == []


def test_each_role_may_do_what_its_permissions_allow(api: Any, bearer: Make) -> None:
    reader, reviewer, ci = bearer("service"), bearer("reviewer"), bearer("ci")

    assert api.get("/v1/runs", headers=reader).status_code == 403
    assert api.get("/v1/runs", headers=reviewer).status_code == 200
    assert api.post("/v1/runs", json={"suite": "words"}, headers=reviewer).status_code == 403
    assert api.put("/v1/suites/words", json=SUITE, headers=ci).status_code == 403
    assert api.put("/v1/suites/words", json=SUITE, headers=bearer("editor")).status_code == 200
    assert api.put("/v1/suites/words", json=SUITE, headers=ci).status_code == 200


def test_evidence_of_finished_runs_is_listed_by_what_it_is_of(stocked: Any, executor: RunExecutor, clock: Any) -> None:
    for _ in range(2):
        clock.move(minutes=1)
        stocked.post("/v1/runs", json={"suite": "words"})
        leased = executor.lease("w1")
        assert leased is not None
        executor.execute(leased)

    page = stocked.get("/v1/evidence?prompt=word&version=1&suite=words&limit=1").json()
    (newest,) = page["items"]
    assert (newest["prompt"], newest["version"], newest["verdict"], newest["gates"]) == ("word", 1, "no gate", [])
    assert newest["context"] is None
    (older,) = stocked.get(f"/v1/evidence?digest={newest['digest']}&limit=1&cursor={page['next_cursor']}").json()["items"]
    assert older["at"] < newest["at"]
    assert [item["id"] for item in stocked.get(f"/v1/evidence?run={older['run']}").json()["items"]] == [older["id"]]
    assert stocked.get("/v1/evidence?prompt=other").json() == {"items": [], "next_cursor": None}
    for wrong in ("digest=sha256:zz", "version=0", "prompt=../x", "run=1", "cursor=!"):
        assert stocked.get(f"/v1/evidence?{wrong}").status_code in (400, 422), wrong
