"""Means of a judge that labels of people correct, and the gate's demands on them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from factories.judged_results import JudgedOutputs, judge_figures, judged_outputs, share
from promptuary.evaluation.judge_figures import ChangedPart, LicenceState
from promptuary.evaluation.summary_model import Summary
from promptuary.statistics.judges.correction import JudgedCases, corrected_mean
from promptuary.statistics.judges.label_sample import LabelDesign

SummariseJudged = Callable[..., Summary]
FLOOR = [{"metric": "rubric", "at_least": 0.8, "corrected": True}]
BOTH = [{"metric": "rubric", "at_least": 0.8, "corrected": True, "judge": {"sensitivity": 0.8, "specificity": 0.8}}]
NOT_WORSE = [{"metric": "rubric", "not_worse_than": "production", "by": 0.1, "corrected": True}]


def test_the_corrected_mean_stands_beside_the_raw_one(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(1, sensitivity=0.7)

    (figures,) = summarise_judged(FLOOR, judge_figures(), v2=outputs).corrections

    design = LabelDesign([0.35] * 300)
    expected = corrected_mean(JudgedCases(outputs.scores, outputs.labels), design)
    assert figures.raw is not None
    assert figures.corrected is not None
    assert figures.raw.estimate == pytest.approx(expected.raw.estimate)
    assert figures.corrected.estimate == pytest.approx(expected.interval.estimate)
    assert (figures.labels, figures.labels_to_halve) == (expected.labels, expected.labels_to_halve)
    assert figures.raw.high < 0.8 < figures.corrected.high


def test_a_lenient_judge_does_not_pass_a_gate_by_itself(summarise_judged: SummariseJudged) -> None:
    lenient = judged_outputs(2, rate=0.6, sensitivity=0.99, specificity=0.05)
    raw = [{"metric": "rubric", "at_least": 0.8}]

    assert summarise_judged(raw, judge_figures(), v2=lenient).verdict == "pass"
    summary = summarise_judged(FLOOR, judge_figures(), v2=lenient)

    assert summary.verdict == "regression"
    (gate,) = summary.gates
    assert gate.corrected
    assert f"corrected by {summary.corrections[0].labels} labels" in gate.sentence


def test_without_labels_the_verdict_is_inconclusive_and_counts_the_missing(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(3)

    summary = summarise_judged(FLOOR, None, v2=replace(outputs, labels=[None] * 300))

    (gate,) = summary.gates
    assert (summary.verdict, gate.missing_labels) == ("inconclusive", 30)
    assert gate.sentence == "rubric of v2 is not decided: its judge has no valid calibration: 30 labels are missing"
    assert summary.corrections[0].missing == 30


def test_an_expired_calibration_is_inconclusive_and_names_the_change(summarise_judged: SummariseJudged) -> None:
    judge = judge_figures(LicenceState.EXPIRED, changed=(ChangedPart.MODEL, ChangedPart.RUBRIC), labels=0, missing=30)

    summary = summarise_judged(FLOOR, judge, v2=judged_outputs(3))

    assert summary.verdict == "inconclusive"
    assert "has expired, since the model and the rubric changed: 30 labels are missing" in summary.gates[0].sentence


def test_labels_of_other_outputs_do_not_correct_a_version(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(3)

    summary = summarise_judged(FLOOR, judge_figures(), v2=replace(outputs, labels=outputs.labels[:60] + [None] * 240))

    labels = sum(label is not None for label in outputs.labels[:60])
    assert summary.gates[0].missing_labels == 30 - labels
    assert f"{labels} outputs are labelled and 30 are needed" in summary.gates[0].sentence


def test_a_judge_must_reach_what_the_gate_demands_of_it(summarise_judged: SummariseJudged) -> None:
    good = judge_figures(sensitivity=share(0.95, 0.84, 0.99), specificity=share(0.94, 0.82, 0.99))
    unsure = judge_figures(sensitivity=share(0.95, 0.84, 0.99), specificity=share(0.9, 0.72, 0.97, n=20))
    bad = judge_figures(sensitivity=share(0.6, 0.5, 0.7), specificity=share(0.94, 0.82, 0.99))
    blind = judge_figures(sensitivity=share(0.95, 0.84, 0.99))
    outputs = judged_outputs(4, rate=0.95)

    assert summarise_judged(BOTH, good, v2=outputs).verdict == "pass"
    gates = [summarise_judged(BOTH, judge, v2=outputs).gates[0] for judge in (unsure, bad, blind)]

    assert [gate.verdict for gate in gates] == ["inconclusive"] * 3
    assert "specificity is 0.900, 95% interval 0.720 to 0.970, and a lower bound of 0.8 is required" in gates[0].sentence
    assert gates[0].missing_labels is not None
    assert gates[0].missing_labels > 0
    assert "sensitivity is 0.600" in gates[1].sentence
    assert "use a better judge" in gates[1].sentence
    assert gates[1].missing_labels is None
    assert "people failed none of 60 labelled outputs" in gates[2].sentence


def test_an_inconclusive_floor_says_how_many_labels_would_decide_it(summarise_judged: SummariseJudged) -> None:
    summary = summarise_judged(FLOOR, judge_figures(), v2=judged_outputs(5, rate=0.84, share=0.15))

    (gate,) = summary.gates
    assert gate.verdict == "inconclusive"
    assert gate.missing_labels is None or gate.missing_labels > 0
    assert "labels" in gate.sentence


def test_a_corrected_difference_is_paired(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(6, cases=400)

    summary = summarise_judged(NOT_WORSE, judge_figures(), v2=outputs, v1=outputs)

    candidate, baseline, difference = summary.corrections
    assert (candidate.baseline, baseline.variant, difference.baseline) == (None, "v1", "v1")
    assert difference.corrected is not None
    assert (difference.corrected.estimate, difference.labels) == (0.0, candidate.labels)
    assert difference.corrected.low > -0.1
    assert summary.verdict == "pass"


def test_outputs_that_were_drawn_alone_pair_by_the_product_of_their_chances(summarise_judged: SummariseJudged) -> None:
    first, second = judged_outputs(7, cases=600, share=0.5), judged_outputs(8, cases=600, share=0.5)

    *_, difference = summarise_judged(NOT_WORSE, judge_figures(), v2=first, v1=second).corrections

    both = sum(a is not None and b is not None for a, b in zip(first.labels, second.labels, strict=True))
    assert difference.labels == both
    assert difference.corrected is not None


def test_outputs_picked_by_hand_correct_nothing(summarise_judged: SummariseJudged) -> None:
    outputs = replace(judged_outputs(9), chance=1.0)

    (figures,) = summarise_judged(FLOOR, judge_figures(), v2=outputs).corrections

    assert figures.corrected is None
    assert figures.reason is not None
    assert "had no chance to be drawn: label a random slice of the run" in figures.reason


def test_certain_outputs_that_wait_for_a_label_hold_the_correction_back(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(10, cases=80, share=0.6)
    everything = JudgedOutputs(outputs.scores, outputs.labels, [True] * 80, 1.0)

    (figures,) = summarise_judged(FLOOR, judge_figures(), v2=everything).corrections

    waiting = sum(label is None for label in outputs.labels)
    assert figures.reason == f"{waiting} outputs that were selected without chance wait for a label"
    assert figures.missing == waiting


def test_a_half_labelled_random_slice_counts_with_its_share(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(11, cases=400, share=0.3)
    drawn = [label is not None or place % 2 == 0 for place, label in enumerate(outputs.labels)]

    (figures,) = summarise_judged(FLOOR, judge_figures(), v2=replace(outputs, drawn=drawn, chance=0.6)).corrections

    whole = corrected_mean(JudgedCases(outputs.scores, outputs.labels), LabelDesign([0.3] * 400))
    assert figures.corrected is not None
    assert figures.corrected.estimate == pytest.approx(whole.interval.estimate)


def test_failures_and_a_slice_of_the_rest_are_one_sample_of_unequal_chances(summarise_judged: SummariseJudged) -> None:
    outputs = judged_outputs(12, cases=400, rate=0.8, share=1.0)
    drawn = [score == 0 or place % 5 == 0 for place, score in enumerate(outputs.scores)]
    chances = [1.0 if score == 0 else 0.2 for score in outputs.scores]
    labels = [label if chosen else None for label, chosen in zip(outputs.labels, drawn, strict=True)]
    sliced = JudgedOutputs(outputs.scores, labels, drawn, chances=chances)

    (figures,) = summarise_judged(FLOOR, judge_figures(), v2=sliced).corrections

    truth = sum(label or 0.0 for label in outputs.labels) / 400
    assert figures.corrected is not None
    assert figures.corrected.low < truth < figures.corrected.high
    assert figures.corrected.estimate == pytest.approx(truth, abs=0.04)
