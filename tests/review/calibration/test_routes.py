"""Judges over HTTP: a queue declares its labels, a judge is read with its licence, and a run with both figures."""

from collections.abc import Callable
from typing import Any

from promptuary.evaluation.runs.store import Run
from review.calibration.conftest import texts

Make = Callable[..., Any]


def test_a_judge_from_its_queue_to_its_licence(
    judged_suite: Make, finish_run: Callable[..., Run], label: Make, local: Any
) -> None:
    judged_suite(*texts(20, 14, 6))
    run = finish_run()
    queue = local.put("/v1/queues/slice", json={"judge": {"metric": "rubric", "passes": ["approve"]}}).json()
    assert queue["source"]["judge"] == {"metric": "rubric", "passes": ["approve"]}
    assert local.post("/v1/queues/slice/items", json={"run": run.id, "sample": {"size": 40}}).json()["added"] == 40
    label()
    assert local.put("/v1/queues/slice", json={"instructions": "Is it good?"}).json()["source"]["judge"]["passes"] == [
        "approve"
    ]

    (judge,) = local.get("/v1/judges").json()["items"]
    calibration = local.get(f"/v1/judges/{judge['digest']}/calibration").json()
    corrections = local.get(f"/v1/runs/{run.id}/corrections").json()

    assert judge["licence"] == {"state": "valid", "changed": [], "labels": 40, "labels_needed": 0}
    assert (judge["metric"], judge["model"], judge["rubric"], judge["suites"]) == (
        "rubric",
        "openai:judge",
        "is good",
        ["words"],
    )
    assert calibration["confusion"] == {"both_pass": 20, "both_fail": 14, "judge_alone": 6, "people_alone": 0}
    assert calibration["sensitivity"]["estimate"] == 1.0
    assert calibration["population"]["dataset"] == "words"
    assert (corrections["decided"], corrections["verdict"]) == ("inconclusive", corrections["gates"][0]["verdict"])
    (figures,) = corrections["corrections"]
    assert figures["raw"]["estimate"] > figures["corrected"]["estimate"]


def test_judges_have_pages_and_unknown_ones_are_not_there(judged_suite: Make, local: Any) -> None:
    judge = {"type": "llm-rubric", "value": "is kind", "model": "openai:judge", "name": "kind"}
    rubric = {**judge, "value": "is good", "name": "rubric"}
    judged_suite("x", scorers=[judge, rubric])
    first = local.get("/v1/judges", params={"limit": 1}).json()
    second = local.get("/v1/judges", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [page["items"][0]["metric"] for page in (first, second)] == ["kind", "rubric"]
    assert second["next_cursor"] is None
    assert local.get(f"/v1/judges/sha256:{'0' * 64}/calibration").status_code == 404
    assert local.get("/v1/judges/other/calibration").status_code == 422


def test_a_mapping_of_other_decisions_and_a_run_that_is_not_over_are_refused(
    judged_suite: Make, submit_run: Callable[..., Run], local: Any
) -> None:
    judged_suite("x")
    run = submit_run()
    answer = local.put("/v1/queues/q", json={"judge": {"metric": "rubric", "passes": ["yes"]}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "judge.passes.0"
    assert local.get(f"/v1/runs/{run.id}/corrections").status_code == 409
    local.put("/v1/queues/q", json={})
    assert local.post("/v1/queues/q/tuning", json={"items": ["none"]}).status_code == 422
    assert local.put("/v1/queues/q/judge", json={"metric": "rubric", "passes": ["approve"]}).json()["fails"] is None
