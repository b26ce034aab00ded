"""The power plan of a run, checked against its formula and against simulated and stored runs."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.core.errors import Conflict, NotFound
from promptuary.evaluation.runs.projection import project_run
from promptuary.evaluation.verdict.power import DatasetSize, PilotRun, ProjectionOptions, compute_power_plan

Make = Callable[..., Any]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]
Z = 1.959964 + 0.841621


@pytest.fixture
def pilot_of(result_of: Make) -> Make:
    """Make a pilot from the scores of the cases' repeats on each side."""

    def make(candidate: list[list[float]], baseline: list[list[float]] | None = None, **more: Any) -> PilotRun:
        def results(sides: list[list[float]], variant: str, **figures: Any) -> list[Any]:
            return [
                result_of(f"c{place}", score, variant, repeat, **figures)
                for place, scores in enumerate(sides)
                for repeat, score in enumerate(scores)
            ]

        cost = more.pop("cost", None)
        fields: dict[str, Any] = {"clusters": {}, "seconds": None} | more
        return PilotRun("run_1", results(candidate, "v2", cost=cost), results(baseline or [], "v1", cost=cost), **fields)

    return make


def test_without_a_pilot_run_the_spread_is_assumed(suite_of: Make) -> None:
    (floor,) = compute_power_plan(suite_of(gate=FLOOR), DatasetSize(100), 1, None, ProjectionOptions()).demands

    assert floor.source == "assumed"
    assert floor.detectable == pytest.approx(Z * math.sqrt(0.25 / 100), rel=1e-5)


def test_the_spread_of_the_paired_difference_is_the_pilots(suite_of: Make, pilot_of: Make) -> None:
    # Differences 1, 0, 0, 0 and so on: a variance of 0.1875 · 40 / 39.
    pilot = pilot_of([[1.0], [1.0], [0.0], [1.0]] * 10, [[0.0], [1.0], [0.0], [1.0]] * 10)
    (demand,) = compute_power_plan(suite_of(gate=NOT_WORSE), DatasetSize(40), 2, pilot, ProjectionOptions()).demands

    assert (demand.source, demand.effect) == ("pilot", 0.1)
    assert demand.spread.between == pytest.approx(0.1875 * 40 / 39)
    assert demand.cases_needed == math.ceil(Z**2 * 0.1875 * 40 / 39 / 0.01)


def test_a_pilot_without_repeats_shows_no_gain_from_more_repeats(suite_of: Make, pilot_of: Make) -> None:
    single = compute_power_plan(
        suite_of(gate=FLOOR), DatasetSize(40), 1, pilot_of([[1.0], [0.0]] * 20), ProjectionOptions()
    ).demands[0]
    noisy = compute_power_plan(
        suite_of(gate=FLOOR), DatasetSize(40), 1, pilot_of([[1.0, 0.0], [0.0, 1.0]] * 20), ProjectionOptions()
    ).demands[0]

    def gain(demand: Any) -> float:
        rows = {(row.cases, row.repeats): row.effect for row in demand.table}
        return float(rows[40, 1] / rows[40, 5])

    assert gain(single) == 1.0
    assert gain(noisy) == pytest.approx(math.sqrt(5))


def test_clusters_widen_what_a_suite_can_show(suite_of: Make, pilot_of: Make) -> None:
    scores = [[1.0], [1.0], [0.0], [0.0]] * 10
    together = {f"c{place}": f"k{place // 2}" for place in range(40)}
    alone = compute_power_plan(suite_of(gate=FLOOR), DatasetSize(40), 1, pilot_of(scores), ProjectionOptions()).demands[0]
    clustered = compute_power_plan(
        suite_of(gate=FLOOR), DatasetSize(40), 1, pilot_of(scores, clusters=together), ProjectionOptions()
    ).demands[0]

    assert alone.design_effect == 1.0
    assert clustered.design_effect == pytest.approx(2.0, rel=0.05)
    assert clustered.cases_needed > alone.cases_needed


def test_weighted_cases_show_what_their_effective_number_shows(suite_of: Make, pilot_of: Make) -> None:
    # 20 cases that stand for 9 each and 20 that stand for one: (200)² / (20 · 81 + 20) = 24.39 cases of equal weight.
    size = DatasetSize.of_weights(40, {f"c{place}": 9.0 for place in range(20)})
    weighted = compute_power_plan(suite_of(gate=FLOOR), size, 1, None, ProjectionOptions())
    (demand,) = weighted.demands

    assert weighted.effective == pytest.approx(40_000 / 1640)
    assert demand.detectable == pytest.approx(Z * math.sqrt(0.25 / (40_000 / 1640)), rel=1e-5)
    assert demand.cases_needed == math.ceil(Z**2 * 0.25 / 0.05**2 * 1640 / 1000)
    assert (weighted.cases, weighted.results) == (40, 40)
    together = {f"c{place}": f"k{place // 2}" for place in range(40)}
    pilot = pilot_of([[1.0], [1.0], [0.0], [0.0]] * 10, clusters=together)
    (clustered,) = compute_power_plan(suite_of(gate=FLOOR), size, 1, pilot, ProjectionOptions()).demands
    assert clustered.design_effect == pytest.approx(2.0 * 1.64, rel=0.05)


def test_equal_weights_change_no_power_plan(suite_of: Make) -> None:
    for weights in ({}, {f"c{place}": 7.5 for place in range(40)}):
        size = DatasetSize.of_weights(40, weights)
        (demand,) = compute_power_plan(suite_of(gate=FLOOR), size, 1, None, ProjectionOptions()).demands
        assert (size.effective, demand.design_effect) == (None, 1.0)


def test_cost_and_time_follow_from_the_pilots_results(suite_of: Make, pilot_of: Make) -> None:
    pilot = pilot_of([[1.0], [0.0]] * 5, cost=0.002, seconds=0.5)
    projection = compute_power_plan(suite_of(gate=FLOOR, repeats=2), DatasetSize(10), 3, pilot, ProjectionOptions())

    assert (projection.results, projection.cost, projection.seconds) == (60, pytest.approx(0.12), 30.0)
    assert {row.results for row in projection.demands[0].table if row.cases == 20} == {60, 120, 180, 300}


def test_a_suite_without_a_gate_is_projected_on_its_score(suite_of: Make) -> None:
    (demand,) = compute_power_plan(suite_of(), DatasetSize(10), 1, None, ProjectionOptions(0.2, 0.9)).demands

    assert (demand.metric, demand.effect) == ("score", 0.2)


@pytest.mark.parametrize("scores", [[[1.0]], [[1.0]] * 9])
def test_a_pilot_without_spread_is_replaced_by_an_assumption(suite_of: Make, pilot_of: Make, scores: list[list[float]]) -> None:
    assert (
        compute_power_plan(suite_of(gate=FLOOR), DatasetSize(9), 1, pilot_of(scores), ProjectionOptions()).demands[0].source
        == "assumed"
    )


def test_the_newest_finished_run_is_the_pilot(create_words_suite: Make, submit_run: Make, executor: Any, author: Make) -> None:
    create_words_suite("yes", "no", "yes", "no", gate=FLOOR)
    with author() as unit:
        assert project_run(unit, "words").pilot is None
    run = submit_run()
    with author() as unit, pytest.raises(Conflict, match="only a finished run"):
        project_run(unit, "words", pilot=run.id)
    leased = executor.lease("w")
    executor.execute(leased)

    with author() as unit:
        projection = project_run(unit, "words")
        assert (projection.pilot, projection.cases, projection.variants) == (run.id, 4, 1)
        assert projection.demands[0].source == "pilot"
        with pytest.raises(NotFound):
            project_run(unit, "nothing")
