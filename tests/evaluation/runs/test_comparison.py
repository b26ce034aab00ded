"""Two runs compared over HTTP: on the cases that are the same question in both, whatever their ids are."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from promptuary.evaluation.execution.executor import RunExecutor

Compare = Callable[[Sequence[dict[str, Any]], Sequence[dict[str, Any]]], Any]


def case(name: str, text: str, expected: str) -> dict[str, Any]:
    return {"id": name, "vars": {"text": text}, "expected": expected}


def failing(count: int, text: str = "b") -> list[dict[str, Any]]:
    return [case(str(number), f"{text}{number}", "no") for number in range(count)]


@pytest.fixture
def compare(local: Any, executor: RunExecutor, clock: Any) -> Compare:
    """Run a suite on two datasets one after the other, and compare the second run with the first."""
    suite = {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"]}
    scorer = {"type": "equals", "value": "{{expected}}", "name": "exact"}
    local.post("/v1/prompts/word/versions", json={"type": "text", "template": "{{text}}"})

    def run(cases: Sequence[dict[str, Any]]) -> str:
        clock.move(minutes=1)
        local.post("/v1/datasets/words/versions", json={"cases": list(cases)})
        assert local.put("/v1/suites/words", json=suite | {"scorers": [scorer]}).status_code == 200
        identity: str = local.post("/v1/runs", json={"suite": "words"}).json()["id"]
        leased = executor.lease("w1")
        assert leased is not None
        executor.execute(leased)
        return identity

    def compared(cases: Sequence[dict[str, Any]], baseline_cases: Sequence[dict[str, Any]]) -> Any:
        baseline, candidate = run(baseline_cases), run(cases)
        return local.get(f"/v1/runs/{candidate}/compare?baseline={baseline}")

    return compared


def exact(answer: Any) -> Any:
    return next(item for item in answer["comparisons"] if item["metric"] == "exact")


def test_other_questions_under_the_same_ids_are_a_conflict_and_no_p_value(compare: Compare) -> None:
    passing = [case(str(number), f"a{number}", f"a{number}") for number in range(12)]
    refused = compare(passing, failing(12))
    assert refused.status_code == 409
    assert "share no case" in refused.json()["detail"]
    assert "cases of the same id have other variables" in refused.json()["detail"]


def test_only_cases_of_the_same_content_count_and_the_others_are_listed(compare: Compare) -> None:
    cases = [case("1", "same", "same"), case("2", "mine", "mine"), case("3", "c", "c"), case("n", "new", "new")]
    answer = compare(cases, [case("7", "same", "same"), case("2", "theirs", "no"), case("3", "c", "d")]).json()
    assert (answer["cases"], answer["same_dataset"]) == (1, False)
    assert (exact(answer)["cases"], exact(answer)["unpaired"]) == (1, 5)
    reasons = {(part["run"] == answer["run"], part["reason"]): part["examples"] for part in answer["unpaired"]}
    assert reasons == {
        (True, "other_variables"): ["2"],
        (True, "other_expectation"): ["3"],
        (True, "absent"): ["n"],
        (False, "other_variables"): ["2"],
        (False, "other_expectation"): ["3"],
    }


def test_renamed_cases_are_compared_and_their_other_ids_named(
    local: Any, compare: Compare, executor: RunExecutor, clock: Any
) -> None:
    answer = compare([case("a", "x", "x"), case("b", "y", "z")], [case("1", "y", "z"), case("2", "x", "x")]).json()
    assert (exact(answer)["cases"], exact(answer)["interval"]["estimate"], answer["unpaired"]) == (2, 0.0, [])
    assert answer["renamed"] == {}
    local.post("/v1/prompts/word/versions", json={"type": "text", "template": "z"})
    local.post("/v1/runs", json={"suite": "words", "version": 2})
    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)
    changed = local.get(f"/v1/runs/{leased.id}/compare?baseline={answer['baseline']}").json()
    assert (exact(changed)["better"], exact(changed)["worse"]) == (["b"], ["a"])
    assert changed["renamed"] == {"a": "2", "b": "1"}


def test_metrics_that_the_suites_score_in_different_ways_are_named(
    local: Any, compare: Compare, executor: RunExecutor, clock: Any
) -> None:
    cases = [case("a", "x", "x")]
    same = compare(cases, cases).json()
    assert same["changed_metrics"] == []
    suite = local.get("/v1/suites/words").json()["definition"]
    scorers = [{"type": "contains", "value": "{{expected}}", "name": "exact"}]
    changed = {name: suite[name] for name in ("name", "prompt", "dataset", "models")} | {"scorers": scorers}
    local.put("/v1/suites/words", json=changed)
    local.post("/v1/runs", json={"suite": "words"})
    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)
    answer = local.get(f"/v1/runs/{leased.id}/compare?baseline={same['run']}").json()
    assert answer["changed_metrics"] == ["exact", "pass", "score"]
