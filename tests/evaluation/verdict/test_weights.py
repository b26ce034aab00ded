"""Cases that stand for different numbers of cases, in the figures of a run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptuary.evaluation.case import Case, case_from_json, case_to_json
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run

CASE = Case("a", {"text": "yes"}, "yes")
GATE = [{"metric": "exact", "at_least": 0.9}, {"metric": "exact", "not_worse_than": "production", "by": 0.1}]


def test_a_weight_is_stored_and_is_part_of_the_digest() -> None:
    weighted = replace(CASE, weight=20.0)
    assert case_from_json(case_to_json(weighted)) == weighted
    assert CaseSpool([weighted]).digest != CaseSpool([CASE]).digest
    assert CaseSpool([replace(CASE, weight=1.0)]).digest == CaseSpool([CASE]).digest


@pytest.mark.parametrize("weight", [0, -1, "heavy", float("nan"), float("inf")])
def test_a_weight_that_is_no_number_above_zero_is_refused(weight: Any) -> None:
    with pytest.raises(ValueError, match="weight"):
        CaseIn.model_validate({"id": "a", "vars": {}, "weight": weight})


@pytest.fixture
def weighted_suite(create_words_suite: Callable[..., None], author: Callable[..., Any]) -> Callable[..., None]:
    """Create the suite `words` whose right answers stand for 30 cases each, and whose wrong ones for 1 each."""

    def create(**changes: Any) -> None:
        create_words_suite(versions=("{{text}}", "{{text}}!"), **changes)
        with author() as unit:
            right = [Case(f"r{number}", {"text": "yes"}, "yes", weight=30.0) for number in range(60)]
            wrong = [Case(f"w{number}", {"text": "no"}, "yes") for number in range(60)]
            DatasetService(unit).put_version("words", [*right, *wrong])

    return create


def test_figures_gates_and_reports_use_the_weights(weighted_suite: Any, finish_run: Callable[..., Run]) -> None:
    weighted_suite(gate=GATE)
    run = finish_run(version=2)
    assert run.summary is not None
    baseline = run.summary.variants[1].metrics["exact"].interval
    assert baseline is not None
    assert baseline.estimate == pytest.approx(60 * 30 / (60 * 30 + 60))
    assert baseline.effective == pytest.approx(1860**2 / (60 * 900 + 60))
    assert baseline.method.startswith("hajek-wilson")
    comparison = next(each for each in run.summary.comparisons if each.metric == "exact")
    assert comparison.interval is not None
    assert comparison.interval.estimate == pytest.approx(-1800 / 1860)
    assert comparison.p_value is None
    assert "weighted, as 64 of equal weight" in run.summary.gates[1].sentence


def test_weights_of_a_dataset_that_are_all_the_same_change_nothing(
    create_words_suite: Callable[..., None], author: Callable[..., Any], finish_run: Callable[..., Run]
) -> None:
    create_words_suite()
    plain = finish_run()
    with author() as unit:
        cases = [Case("c1", {"text": "yes"}, "yes", weight=7.0), Case("c2", {"text": "no"}, "yes", weight=7.0)]
        DatasetService(unit).put_version("words", cases)
    weighted = finish_run()
    assert plain.summary is not None
    assert weighted.summary is not None
    assert weighted.summary.variants[0].metrics == plain.summary.variants[0].metrics


def test_a_run_of_weighted_cases_goes_to_its_end(weighted_suite: Any, finish_run: Callable[..., Run]) -> None:
    weighted_suite(gate=[{"metric": "exact", "at_least": 0.2}], early_stop=True)
    run = finish_run()
    assert run.done == run.total
    assert run.summary is not None
    interval = run.summary.variants[0].metrics["exact"].interval
    assert interval is not None
    assert interval.method.startswith("hajek")


def test_two_runs_are_compared_by_the_weights(
    weighted_suite: Any, finish_run: Callable[..., Run], author: Callable[..., Any]
) -> None:
    weighted_suite()
    first, second = finish_run(version=1), finish_run(version=2)
    with author() as unit:
        compared = RunService(unit).compare(second.id, first.id)
    interval = next(each.interval for each in compared.comparisons if each.metric == "exact")
    assert interval is not None
    assert interval.estimate == pytest.approx(-1800 / 1860)
