"""Items from a run: which results a person gets to see, and what of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from promptuary.core.errors import NotFound
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.work import work_items
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.review.queues.run_items import ResultSelection, select_run_items

PASSES = {("one", "v2"): True, ("one", "v1"): False, ("two", "v2"): False, ("two", "v1"): False, ("three", "v2"): True}


@pytest.fixture
def run(sqlite: Any, unit_as: Callable[..., Any], clock: Any) -> str:
    """A run of two versions on four cases; the last case was not answered, and `three` has no verdict under v1."""
    with unit_as("author") as unit:
        registry = Registry(unit)
        for text in ("Name it: {{ticket}}", "Name the intent: {{ticket}}"):
            content = {"type": "text", "template": text, "variables": {"ticket": {"type": "string"}}}
            registry.register("triage", Content.model_validate(content))
        names = ("one", "two", "three", "four")
        DatasetService(unit).put_version(
            "tickets", [Case(name, {"ticket": f"about {name}"}, f"intent-{name}") for name in names]
        )
        suite = {"name": "triage", "prompt": "triage", "dataset": "tickets", "models": ["echo:upper"]}
        suite["scorers"] = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]
        SuiteService(unit).put(Suite.model_validate(suite))
        submitted_run = RunService(unit).submit(RunRequest(suite="triage", version=2, baseline=1))
        leased_run = store.lease_run(unit.session, "worker", clock(), clock() + timedelta(minutes=1), submitted_run.id)
        assert leased_run is not None
        cases = dataset_store.list_cases(unit.session, leased_run.plan.dataset.id)
        results = []
        for item in work_items(leased_run.plan, cases):
            answered = item.case.id != "four"
            passed = PASSES.get((item.case.id, f"v{item.variant.version}"))
            results.append(
                CaseResult(
                    item.ordinal,
                    item.case.id,
                    item.variant.name,
                    item.repeat,
                    f"said of {item.case.id}" if answered else None,
                    passed,
                    None if passed is None else float(passed),
                    {"exact": None if passed is None else float(passed)},
                    None if answered else "no answer",
                    {"messages": [{"role": "user", "content": "Name it"}]} if answered else {},
                    clock(),
                )
            )
        assert store.add_results(unit.session, leased_run, results, clock() + timedelta(minutes=1))
    return submitted_run.id


def select_cases(unit_as: Callable[..., Any], run: str, **choice: Any) -> list[tuple[str, int]]:
    with unit_as("author") as unit:
        return [(item.payload["case"], item.payload["version"]) for item in select_run_items(unit, run, **choice)]


def test_by_default_what_failed_comes_into_the_queue(run: str, unit_as: Any) -> None:
    assert select_cases(unit_as, run) == [("one", 1), ("two", 2), ("two", 1)]


def test_disagreements_are_the_cases_that_passed_under_one_variant_only(run: str, unit_as: Any) -> None:
    assert select_cases(unit_as, run, only=ResultSelection.DISAGREE) == [("one", 2), ("one", 1)]


def test_all_are_those_that_have_an_output(run: str, unit_as: Any) -> None:
    assert {case for case, _ in select_cases(unit_as, run, only=ResultSelection.ALL)} == {"one", "two", "three"}


def test_a_variant_can_be_chosen(run: str, unit_as: Any) -> None:
    with unit_as("author") as unit:
        name = RunService(unit).get(run).plan.variants[0].name
    assert select_cases(unit_as, run, variant=name) == [("two", 2)]


def test_a_person_sees_input_output_and_expectation(run: str, unit_as: Any) -> None:
    with unit_as("author") as unit:
        item = select_run_items(unit, run)[0]
    assert item.source == f"{run}/1"
    visible_fields = {
        name: item.payload[name] for name in ("input", "output", "expected", "version", "model", "scores", "messages")
    }
    assert visible_fields == {
        "input": {"ticket": "about one"},
        "output": "said of one",
        "expected": "intent-one",
        "version": 1,
        "model": "echo:upper",
        "scores": {"exact": 0.0},
        "messages": [{"role": "user", "content": "Name it"}],
    }


def test_an_unknown_run_or_variant_is_not_found(run: str, unit_as: Any) -> None:
    for other, choice in (("run_0", {}), (run, {"variant": "v9"})):
        with pytest.raises(NotFound), unit_as("author") as unit:
            select_run_items(unit, other, **choice)


def test_filling_twice_adds_nothing(run: str, api: Any, bearer: Any) -> None:
    author = bearer("author")
    api.put("/v1/queues/triage", json={}, headers=author)
    responses = [api.post("/v1/queues/triage/items", json={"run": run}, headers=author).json() for _ in range(2)]
    assert responses == [{"added": 3, "present": 0}, {"added": 0, "present": 3}]
