"""A gate's verdicts on hand-made scores, whose intervals can be computed on paper."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from promptuary.evaluation.summary_model import GateKind, Summary, VariantRole
from promptuary.evaluation.verdict.summary import summarise

Make = Callable[..., Any]
Summarise = Callable[..., Summary]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]


def test_a_floor_is_met_by_the_lower_bound_not_by_the_mean(summarise_scores: Summarise) -> None:
    # Wilson's interval for 18 of 20 is 0.699 to 0.972, for 100 of 100 it is 0.963 to 1.
    few, many = summarise_scores(FLOOR, v2=[1.0] * 18 + [0.0] * 2), summarise_scores(FLOOR, v2=[1.0] * 100)

    interval = few.gates[0].interval
    assert interval is not None
    assert (interval.method, round(interval.low, 3), round(interval.high, 3)) == ("wilson", 0.699, 0.972)
    assert (few.verdict, many.verdict) == ("inconclusive", "pass")
    assert (
        "exact of v2 is 1.000, 95% interval 0.963 to 1.000 over 100 cases; the lower bound reaches 0.800"
        in many.gates[0].sentence
    )


def test_a_demand_on_every_case_counts_the_cases_without_an_interval(summarise_scores: Summarise) -> None:
    every = [{"metric": "exact", "every": True}]
    all_met, one_short = summarise_scores(every, v2=[1.0] * 3), summarise_scores(every, v2=[1.0] * 99 + [0.5])

    assert (all_met.verdict, one_short.verdict) == ("pass", "regression")
    (gate,) = one_short.gates
    assert (gate.kind, gate.bound, gate.interval) == (GateKind.EVERY, 1.0, None)
    assert gate.sentence.startswith("exact of v2 is below 1 in 1 of 100 cases: ")


def test_a_floor_out_of_reach_is_a_regression(summarise_scores: Summarise) -> None:
    assert summarise_scores(FLOOR, v2=[0.0] * 20).verdict == "regression"


def test_a_label_without_a_version_is_inconclusive(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(1, missing=("production",))

    summary = summarise(plan, suite_of(gate=NOT_WORSE), {}, [result_of("c1", 1.0)], ["exact"])

    assert summary.verdict == "inconclusive"
    assert "no version has the label 'production'" in summary.gates[0].sentence


def test_a_content_is_not_worse_than_itself(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(1)
    own_baseline = replace(plan.variants[0], references=("latest", "production"))
    plan = replace(plan, variants=(own_baseline,))

    summary = summarise(plan, suite_of(gate=NOT_WORSE), {}, [result_of("c1", 0.0)], ["exact"])

    assert summary.verdict == "pass"
    assert summary.gates[0].baseline == "v2"


def test_non_inferiority_uses_the_lower_bound_of_the_paired_difference(summarise_scores: Summarise) -> None:
    same = summarise_scores(NOT_WORSE, v2=[1.0] * 100, v1=[1.0] * 100)
    worse = summarise_scores(NOT_WORSE, v2=[0.0] * 50 + [1.0] * 50, v1=[1.0] * 100)
    few = summarise_scores(NOT_WORSE, v2=[1.0] * 5, v1=[1.0] * 5)

    assert [summary.verdict for summary in (same, worse, few)] == ["pass", "regression", "inconclusive"]


def test_one_borderline_check_among_many_is_no_regression(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    # 12 of 20 is below 0.8 at 95 % (0.387 to 0.781), and not at the level that is valid over ten checks.
    scores = [1.0] * 12 + [0.0] * 8
    results = [result_of(f"c{place}", score) for place, score in enumerate(scores)]
    many = FLOOR + [{"metric": "exact", "at_least": 0.1}] * 9
    alone = summarise(plan_of(20), suite_of(gate=FLOOR), {}, results, ["exact"])
    among_many = summarise(plan_of(20), suite_of(gate=many), {}, results, ["exact"])

    assert (alone.verdict, among_many.verdict) == ("regression", "inconclusive")
    assert among_many.gates[0].sentence.endswith("but not by enough for one of several checks")


def test_each_model_has_to_meet_the_gate(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(30)
    other = replace(plan.variants[0], name="v2·other", model="other:", role=VariantRole.CANDIDATE)
    results = [result_of(f"c{place}", score, name) for name, score in (("v2", 1.0), ("v2·other", 0.0)) for place in range(30)]

    summary = summarise(replace(plan, variants=(*plan.variants, other)), suite_of(gate=FLOOR), {}, results, ["exact"])

    assert [gate.verdict for gate in summary.gates] == ["pass", "regression"]
    assert summary.verdict == "regression"


def test_a_comparison_counts_the_cases_with_a_score_on_one_side_only(summarise_scores: Summarise) -> None:
    summary = summarise_scores(NOT_WORSE, v2=[None] * 2 + [1.0] * 100, v1=[1.0] * 102)
    assert "over 100 cases (2 more have a score on one side only);" in summary.gates[0].sentence
