"""Queues filled from runs in several ways: each item has the probability of all of them, and the queue records each."""

from typing import Any

import pytest

from promptuary.core.errors import Conflict
from promptuary.review.queues.queue import QueueDefinition
from promptuary.review.queues.service import QueueService
from promptuary.review.sources.selection import ResultSelection, RunSelection, SampleRequest
from promptuary.review.sources.service import SourceService
from review.sources.conftest import PREFERENCE, read_items


def fill(unit_as: Any, run: str, **choice: Any) -> dict[str, tuple[float, float | None, str]]:
    """Fill the queue, and return the chances of its items by their position in the plan."""
    with unit_as("author") as unit:
        SourceService(unit).fill("triage", RunSelection(run, **choice))
        return {
            item.source.rpartition("/")[2]: (item.probability, item.slice_probability, item.selection)
            for item in read_items(unit, "triage")
        }


@pytest.fixture
def queue(finished_run: str, unit_as: Any) -> str:
    """An empty queue; six results of the run can come into it, of which 1, 2 and 3 failed."""
    with unit_as("author") as unit:
        QueueService(unit).put_queue(QueueDefinition(name="triage", schema=PREFERENCE))
    return finished_run


def slice_of(size: int, seed: int = 0) -> SampleRequest:
    return SampleRequest(size, seed)


def test_a_slice_alone_has_its_probability(queue: str, unit_as: Any) -> None:
    chances = fill(unit_as, queue, only=None, sample=slice_of(3))
    assert len(chances) == 3
    assert set(chances.values()) == {(0.5, 0.5, "slice")}


def test_a_failure_is_certain_whether_the_slice_has_it_or_not(queue: str, unit_as: Any) -> None:
    chances = fill(unit_as, queue, sample=slice_of(3))
    in_slice = {place for place, (_, by_slice, _) in chances.items() if by_slice is not None}
    assert len(in_slice) == 3
    for place, chance in chances.items():
        failed = place in {"1", "2", "3"}
        by_slice = 0.5 if place in in_slice else None
        assert chance == (1.0 if failed else 0.5, by_slice, "slice" if place in in_slice else "priority")


def test_failures_that_come_later_make_what_is_there_certain(queue: str, unit_as: Any) -> None:
    before = fill(unit_as, queue, only=None, sample=slice_of(3))
    after = fill(unit_as, queue)
    assert before.keys() | {"1", "2", "3"} == after.keys()
    assert {place: chance[0] for place, chance in after.items()} == {
        place: 1.0 if place in {"1", "2", "3"} else 0.5 for place in after
    }
    assert {place for place, chance in after.items() if chance[2] == "slice"} == before.keys()


def test_a_second_slice_changes_the_chances_of_the_first(queue: str, unit_as: Any) -> None:
    fill(unit_as, queue, only=None, sample=slice_of(3, seed=1))
    chances = fill(unit_as, queue, only=None, sample=slice_of(2, seed=2))
    union = pytest.approx(1 - (1 - 1 / 2) * (1 - 1 / 3))
    assert all(chance == (union, union, "slice") for chance in chances.values())


def test_the_same_seed_extends_the_slice(queue: str, unit_as: Any) -> None:
    small = fill(unit_as, queue, only=None, sample=slice_of(2, seed=7))
    large = fill(unit_as, queue, only=None, sample=slice_of(4, seed=7))
    assert small.keys() < large.keys()
    assert len(large) == 4
    assert {round(chance[0], 12) for chance in large.values()} == {round(4 / 6, 12)}
    assert fill(unit_as, queue, only=None, sample=slice_of(4, seed=7)) == large


def test_a_slice_of_one_version_gives_the_other_no_chance(queue: str, unit_as: Any) -> None:
    fill(unit_as, queue, only=None, variant="v1", sample=slice_of(3, seed=1))
    chances = fill(unit_as, queue, only=None, sample=slice_of(3, seed=2))
    for place, (probability, _, _) in chances.items():
        of_v1 = int(place) % 2 == 1
        assert probability == pytest.approx(1.0 if of_v1 else 0.5)


def test_the_beginning_of_a_queue_contains_the_slice(queue: str, unit_as: Any) -> None:
    chances = fill(unit_as, queue, only=ResultSelection.ALL, sample=slice_of(3))
    order = [by_slice is not None for _, by_slice, _ in chances.values()]
    assert sum(order) == 3
    assert 1 <= sum(order[:3]) <= 2


def test_a_slice_of_a_run_that_is_not_over_is_refused(run: str, unit_as: Any) -> None:
    with unit_as("author") as unit:
        QueueService(unit).put_queue(QueueDefinition(name="triage", schema=PREFERENCE))
    with pytest.raises(Conflict, match="running"):
        fill(unit_as, run, sample=slice_of(2))


def test_pairs_are_drawn_too(queue: str, unit_as: Any) -> None:
    chances = fill(unit_as, queue, only=None, pairs=("v1", "v2"), sample=slice_of(2))
    assert {round(chance[0], 12) for chance in chances.values()} == {round(2 / 3, 12)}
    assert all(":" in place for place in chances)


def test_the_queue_records_how_it_was_filled(queue: str, api: Any, bearer: Any) -> None:
    author = bearer("author")
    api.post("/v1/queues/triage/items", json={"run": queue, "only": "failed"}, headers=author)
    sample = {"run": queue, "sample": {"size": 3, "seed": 9}, "variant": "v2"}
    assert api.post("/v1/queues/triage/items", json=sample, headers=author).status_code == 200
    failed, drawn = api.get("/v1/queues/triage", headers=author).json()["source"]["fills"]
    assert (failed["run"], failed["only"], failed["sample"], failed["population"], failed["added"]) == (
        queue,
        "failed",
        None,
        6,
        3,
    )
    assert drawn["only"] is None
    assert drawn["variant"] == "v2"
    assert drawn["sample"] == {"size": 3, "seed": 9, "population": 3, "probability": 1.0}
    assert drawn["at"].startswith("20")
    api.put("/v1/queues/triage", json={"instructions": "Is it polite?"}, headers=author)
    assert len(api.get("/v1/queues/triage", headers=author).json()["source"]["fills"]) == 2
