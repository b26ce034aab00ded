"""A judge compared with labels of people: on runs, queues and decisions of a real database."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.judge_figures import ChangedPart, LicenceState
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.service import SuiteService
from promptuary.review.queues.judge_mapping import JudgeMapping
from promptuary.review.sources.selection import ResultSelection, RunSelection, SampleRequest
from promptuary.review.sources.service import SourceService
from promptuary.review.tables import ItemRow
from review.calibration.conftest import RUBRIC, texts

Make = Callable[..., Any]


def only_calibration(judges: Make) -> Any:
    (calibration,) = judges(lambda service: service.judges())
    return calibration


def test_a_judge_is_compared_with_the_labels_of_its_outputs(
    database: Any, judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    judged_suite(*texts(20, 10, 10))
    draw_results(finish_run())
    assert label() == 40

    calibration = only_calibration(judges)

    assert (calibration.figures.state, calibration.figures.labels, calibration.figures.missing) == (LicenceState.VALID, 40, 0)
    assert calibration.accuracy is not None
    confusion = calibration.accuracy.confusion
    assert (confusion.both_pass, confusion.both_fail, confusion.judge_alone, confusion.people_alone) == (20, 10, 10, 0)
    assert calibration.figures.sensitivity.estimate == 1.0
    assert calibration.figures.specificity.estimate == 0.5
    assert calibration.figures.kappa.value == pytest.approx(0.5)
    assert (calibration.suites, calibration.queues) == (("words",), ("slice",))
    assert judges(lambda service: service.calibration(calibration.judge.digest)) == calibration


def test_a_run_with_labelled_outputs_has_a_corrected_mean_and_a_verdict(
    database: Any, judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    judged_suite(*texts(12, 15, 33))
    first = finish_run()
    assert first.verdict == "inconclusive"
    assert first.summary is not None
    assert first.summary.gates[0].missing_labels == 30
    draw_results(first)
    label(most=40)

    now = judges(lambda service: service.decide(first.id))
    again = finish_run()

    assert again.summary is not None
    for summary in (now, again.summary):
        (correction,) = summary.corrections
        assert correction.raw.estimate == pytest.approx((45 * 0.9 + 15 * 0.2) / 60)
        assert correction.corrected.high < 0.5
        assert correction.labels == 40
        assert summary.verdict == "regression"


def test_too_few_labels_are_reported_with_how_many_are_needed(
    judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    judged_suite(*texts(25, 15))
    run = finish_run()
    draw_results(run)
    label(most=18)

    figures = only_calibration(judges).figures

    assert (figures.state, figures.labels, figures.missing) == (LicenceState.TOO_FEW_LABELS, 18, 12)
    (gate,) = judges(lambda service: service.decide(run.id)).gates
    assert (gate.verdict, gate.missing_labels) == ("inconclusive", 12)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"value": "is very good"}, (ChangedPart.RUBRIC,)),
        ({"threshold": 0.5}, (ChangedPart.RUBRIC,)),
        ({"model": "openai:other"}, (ChangedPart.MODEL,)),
        ({"model": {"name": "openai:judge", "temperature": 0.5}}, (ChangedPart.MODEL,)),
        ({"config": {"prompt": "You grade."}}, (ChangedPart.PROMPT,)),
        ({"transform": "output.trim()"}, (ChangedPart.PROMPT,)),
        ({"value": "is best", "model": "openai:other"}, (ChangedPart.MODEL, ChangedPart.RUBRIC)),
        ({"weight": 2.0}, ()),
    ],
)
def test_a_calibration_expires_when_the_judge_changes(
    judged_suite: Make,
    finish_run: Callable[..., Run],
    draw_results: Make,
    label: Make,
    judges: Make,
    author: Make,
    suite_of: Make,
    change: dict[str, Any],
    parts: tuple[ChangedPart, ...],
) -> None:
    judged_suite(*texts(20, 15))
    draw_results(finish_run())
    label()

    with author() as unit:
        SuiteService(unit).put(suite_of(scorers=[RUBRIC | change]))

    states = {tuple(each.figures.changed): each.figures.state for each in judges(lambda service: service.judges())}
    assert states == {parts: LicenceState.EXPIRED if parts else LicenceState.VALID}


def test_a_run_of_a_changed_judge_is_inconclusive_and_says_what_changed(
    judged_suite: Make,
    finish_run: Callable[..., Run],
    draw_results: Make,
    label: Make,
    author: Make,
    suite_of: Make,
) -> None:
    judged_suite(*texts(20, 15))
    draw_results(finish_run())
    label()
    with author() as unit:
        gate = [{"metric": "rubric", "at_least": 0.4, "corrected": True}]
        SuiteService(unit).put(suite_of(scorers=[RUBRIC | {"value": "is kind"}], gate=gate))

    summary = finish_run().summary

    assert summary is not None
    assert summary.verdict == "inconclusive"
    assert "has expired, since the rubric changed: 30 labels are missing" in summary.gates[0].sentence


def test_a_calibration_expires_when_the_cases_change(
    judged_suite: Make,
    finish_run: Callable[..., Run],
    draw_results: Make,
    label: Make,
    judges: Make,
    author: Make,
    cases_of: Make,
) -> None:
    from promptuary.evaluation.datasets.service import DatasetService

    judged_suite(*texts(20, 15))
    draw_results(finish_run())
    label()

    with author() as unit:
        DatasetService(unit).put_version("words", cases_of(*texts(30, 30)))

    figures = only_calibration(judges).figures
    assert (figures.state, figures.changed) == (LicenceState.EXPIRED, (ChangedPart.POPULATION,))
    summary = finish_run().summary
    assert summary is not None
    assert "since the population changed" in summary.gates[0].sentence


def test_labels_that_tuned_a_judge_do_not_grade_it(
    database: Any,
    judged_suite: Make,
    finish_run: Callable[..., Run],
    draw_results: Make,
    label: Make,
    judges: Make,
    reviews_as: Any,
) -> None:
    judged_suite(*texts(20, 16))
    run = finish_run()
    draw_results(run)
    draw_results(run, "copy")
    label()
    label("copy")
    with reviews_as("author") as reviews:
        queue = reviews.queues.find("copy")
        tuning = list(reviews.unit.session.exec(select(ItemRow.id).where(ItemRow.queue_id == queue.id).limit(4)))

    assert judges(lambda service: service.mark_tuning("copy", tuning, tuning=True)) == 4
    figures = only_calibration(judges).figures
    assert (figures.labels, figures.tuned) == (32, 4)
    (correction,) = judges(lambda service: service.decide(run.id)).corrections
    assert correction.labels == 32

    judges(lambda service: service.mark_tuning("copy", tuning, tuning=False))
    assert only_calibration(judges).figures.labels == 36


def test_an_output_that_the_rubric_quotes_does_not_grade_the_judge(
    judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    quoted = texts(20, 16)
    rubric = RUBRIC | {"value": f"is good, as in: «{quoted[3].upper()}», and not as in\n\n«{quoted[30]}»"}
    judged_suite(*quoted, rubric=rubric)
    draw_results(finish_run())
    label()

    figures = only_calibration(judges).figures

    assert (figures.labels, figures.tuned) == (34, 2)


def test_failures_alone_are_no_sample_of_a_judges_outputs(
    judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    judged_suite(*texts(20, 40))
    draw_results(finish_run(), "failed", chance=lambda result: 0.0 if result.passed else 1.0, in_slice=False)
    label("failed")

    calibration = only_calibration(judges)

    assert (calibration.figures.state, calibration.figures.labels) == (LicenceState.TOO_FEW_LABELS, 0)
    assert "20 of 60 outputs had no chance to be drawn" in calibration.left_out[0]


def test_a_slice_counts_before_the_failures_beside_it_are_decided(
    judged_suite: Make, finish_run: Callable[..., Run], reviews_as: Any, label: Make, judges: Make
) -> None:
    judged_suite(*texts(60, 30))
    run = finish_run()
    with reviews_as("author") as reviews:
        reviews.put_queue("slice")
        selection = RunSelection(run=run.id, only=ResultSelection.FAILED, sample=SampleRequest(50, 3))
        SourceService(reviews.unit).fill("slice", selection)
    judges(lambda service: service.put_mapping("slice", JudgeMapping("rubric", ("approve",))))
    label(most=50)

    some = only_calibration(judges).figures
    label()
    everything = only_calibration(judges).figures

    assert 30 <= some.labels < 50
    assert everything.labels > 50
    assert (some.state, everything.state) == (LicenceState.VALID, LicenceState.VALID)
    assert judges(lambda service: service.decide(run.id)).corrections[0].labels == everything.labels


def test_undecided_reviewers_give_no_label(
    judged_suite: Make, finish_run: Callable[..., Run], draw_results: Make, label: Make, judges: Make
) -> None:
    judged_suite(*texts(35, 10))
    draw_results(finish_run())
    label(values=("approve", "unsure"))

    assert only_calibration(judges).figures.labels == 35


def test_a_judge_without_labels_is_listed_with_what_it_needs(judged_suite: Make, judges: Make) -> None:
    judged_suite(*texts(3, 3))

    calibration = only_calibration(judges)

    assert (calibration.figures.missing, calibration.accuracy, calibration.suites) == (30, None, ("words",))
    with pytest.raises(NotFound, match="GET /judges lists them"):
        judges(lambda service: service.calibration("sha256:none"))


def test_a_mapping_names_decisions_of_its_queue(reviews_as: Any, judges: Make) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("q")
    with pytest.raises(InvalidRequest) as refusal:
        judges(lambda service: service.put_mapping("q", JudgeMapping("rubric", ("yes",), ("reject", "no"))))
    assert [error.path for error in refusal.value.field_errors] == ["judge.passes.0", "judge.fails.1"]
    with pytest.raises(InvalidRequest):
        judges(lambda service: service.mark_tuning("q", ["nobody"], tuning=True))
