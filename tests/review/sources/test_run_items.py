"""Items from a run: which results a person gets to see, and what of them."""

from typing import Any

import pytest

from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.runs.service import RunService
from promptuary.review.queues.queue import QueueDefinition
from promptuary.review.queues.service import QueueService
from promptuary.review.sources.selection import ResultSelection, RunSelection
from promptuary.review.sources.service import SourceService
from review.sources.conftest import PREFERENCE, read_items


def select_items(unit_as: Any, run: str, **choice: Any) -> list[Any]:
    """Fill a new queue from the run, and return its items."""
    with unit_as("author") as unit:
        QueueService(unit).put_queue(QueueDefinition(name="triage", schema=PREFERENCE))
        SourceService(unit).fill("triage", RunSelection(run, **choice))
        return read_items(unit, "triage")


def select_cases(unit_as: Any, run: str, **choice: Any) -> list[tuple[str, int]]:
    return [(item.payload["case"], item.payload["version"]) for item in select_items(unit_as, run, **choice)]


def test_by_default_what_failed_comes_into_the_queue(run: str, unit_as: Any) -> None:
    assert select_cases(unit_as, run) == [("one", 1), ("two", 2), ("two", 1)]


def test_disagreements_are_the_cases_that_passed_under_one_variant_only(run: str, unit_as: Any) -> None:
    assert select_cases(unit_as, run, only=ResultSelection.DISAGREE) == [("one", 2), ("one", 1)]


def test_scorers_disagree_where_the_judge_decides_otherwise(run: str, unit_as: Any) -> None:
    # The judge passes `one` under both versions, of which v1 failed; it fails `two` as `exact` does, and `three` has no verdict
    # under v1. That every call was fast enough is no verdict on the output.
    assert select_cases(unit_as, run, only=ResultSelection.SCORERS) == [("one", 1)]


def test_all_are_those_that_have_an_output(run: str, unit_as: Any) -> None:
    assert {case for case, _ in select_cases(unit_as, run, only=ResultSelection.ALL)} == {"one", "two", "three"}


def test_a_variant_can_be_chosen(run: str, unit_as: Any) -> None:
    with unit_as("author") as unit:
        name = RunService(unit).get(run).plan.variants[0].name
    assert select_cases(unit_as, run, variant=name) == [("two", 2)]


def test_cases_can_be_chosen(run: str, unit_as: Any) -> None:
    assert select_cases(unit_as, run, only=ResultSelection.ALL, cases=("two",)) == [("two", 2), ("two", 1)]
    with pytest.raises(InvalidRequest) as refused:
        select_items(unit_as, run, cases=("one", "four", "nine"))
    (error,) = refused.value.field_errors
    assert (error.path, "'four', 'nine'" in error.message) == ("cases", True)


def test_a_person_sees_input_output_and_expectation(run: str, unit_as: Any) -> None:
    item = select_items(unit_as, run)[0]
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


def test_a_pair_has_the_outputs_of_both_versions(run: str, unit_as: Any) -> None:
    items = select_items(unit_as, run, only=ResultSelection.ALL, pairs=("v2", "v1"))
    assert [item.payload["case"] for item in items] == ["one", "two", "three"]
    pair = items[0]
    assert pair.source == f"{run}/0:1"
    assert {name: (side["version"], side["output"]) for name, side in pair.pair_sides.items()} == {
        "first": (2, "said of one"),
        "second": (1, "said of one"),
    }
    assert not {"output", "version", "variant", "model", "scores", "passed", "messages"} & pair.payload.keys()


def test_pairs_can_be_those_on_which_versions_disagree(run: str, unit_as: Any) -> None:
    items = select_items(unit_as, run, only=ResultSelection.DISAGREE, pairs=("v1", "v2"))
    assert [(item.payload["case"], item.pair_sides["first"]["version"]) for item in items] == [("one", 1)]


@pytest.mark.parametrize("choice", [{"variant": "v9"}, {"pairs": ("v1", "v9")}])
def test_an_unknown_run_or_variant_is_not_found(run: str, unit_as: Any, choice: dict[str, Any]) -> None:
    for other, selected in (("run_0", {}), (run, choice)):
        with pytest.raises(NotFound):
            select_items(unit_as, other, **selected)


def test_filling_twice_adds_nothing(run: str, api: Any, bearer: Any) -> None:
    author = bearer("author")
    api.put("/v1/queues/triage", json={}, headers=author)
    responses = [api.post("/v1/queues/triage/items", json={"run": run}, headers=author).json() for _ in range(2)]
    assert responses == [
        {"added": 3, "present": 0, "gold": 0, "repeated": 0},
        {"added": 0, "present": 3, "gold": 0, "repeated": 0},
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"items": [{"source": "s", "payload": {}}], "sample": {"size": 3}}, "'sample' selects"),
        ({"run": "RUN", "pairs": ["v1", "v1"]}, "twice"),
        ({"run": "RUN", "pairs": ["v1", "v2"], "variant": "v1"}, "without 'variant'"),
        ({}, "either items or a run"),
    ],
)
def test_what_contradicts_itself_is_refused(run: str, api: Any, bearer: Any, body: dict[str, Any], message: str) -> None:
    author = bearer("author")
    api.put("/v1/queues/triage", json={}, headers=author)
    sent = body | ({"run": run} if "run" in body else {})
    response = api.post("/v1/queues/triage/items", json=sent, headers=author)
    assert (response.status_code, message in response.text) == (422, True)
