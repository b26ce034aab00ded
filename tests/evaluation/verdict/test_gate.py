"""What a gate says of scores made by hand, whose intervals can be worked out on paper."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from promptuary.evaluation.plan import VariantRole
from promptuary.evaluation.verdict.summary import summarise

Make = Callable[..., Any]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]


def test_a_floor_is_met_by_the_lower_bound_not_by_the_mean(told: Make) -> None:
    # Wilson's interval for 18 of 20 is 0.699 to 0.972, for 100 of 100 it is 0.963 to 1.
    unsure, sure = told(FLOOR, v2=[1.0] * 18 + [0.0] * 2), told(FLOOR, v2=[1.0] * 100)

    interval = unsure["gates"][0]["interval"]
    assert (interval["method"], round(interval["low"], 3), round(interval["high"], 3)) == ("wilson", 0.699, 0.972)
    assert unsure["verdict"] == "inconclusive"
    assert sure["verdict"] == "pass"
    assert (
        "exact of v2 is 1.000, 95% interval 0.963 to 1.000 over 100 cases; the lower bound reaches 0.800"
        in (sure["gates"][0]["sentence"])
    )


def test_a_demand_on_every_case_counts_these_cases_and_infers_nothing(told: Make) -> None:
    every = [{"metric": "exact", "every": True}]
    all_met, one_short = told(every, v2=[1.0] * 3), told(every, v2=[1.0] * 99 + [0.5])

    assert (all_met["verdict"], one_short["verdict"]) == ("pass", "regression")
    (gate,) = one_short["gates"]
    assert (gate["kind"], gate["bound"], gate["interval"]) == ("every", 1.0, None)
    assert gate["sentence"].startswith("exact of v2 is below 1 in 1 of 100 cases: ")


def test_a_floor_out_of_reach_is_a_regression(told: Make) -> None:
    assert told(FLOOR, v2=[0.0] * 20)["verdict"] == "regression"


def test_a_label_that_no_version_carries_is_inconclusive(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(1, missing=("production",))

    summary = summarise(plan, suite_of(gate=NOT_WORSE), {}, [result_of("c1", 1.0)], ["exact"])

    assert summary["verdict"] == "inconclusive"
    assert "no version carries the label 'production'" in summary["gates"][0]["sentence"]


def test_a_content_is_not_worse_than_itself(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(1)
    own = replace(plan.variants[0], references=("latest", "production"))

    summary = summarise(replace(plan, variants=(own,)), suite_of(gate=NOT_WORSE), {}, [result_of("c1", 0.0)], ["exact"])

    assert summary["verdict"] == "pass"
    assert summary["gates"][0]["baseline"] == "v2"


def test_non_inferiority_takes_the_lower_bound_of_the_paired_difference(told: Make) -> None:
    same = told(NOT_WORSE, v2=[1.0] * 100, v1=[1.0] * 100)
    worse = told(NOT_WORSE, v2=[0.0] * 50 + [1.0] * 50, v1=[1.0] * 100)
    few = told(NOT_WORSE, v2=[1.0] * 5, v1=[1.0] * 5)

    assert [summary["verdict"] for summary in (same, worse, few)] == ["pass", "regression", "inconclusive"]


def test_one_borderline_check_among_many_is_no_regression(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    # 12 of 20 is below 0.8 at 95 % (0.387 to 0.781), and not at the level that holds over ten checks.
    scores = [1.0] * 12 + [0.0] * 8
    results = [result_of(f"c{place}", score) for place, score in enumerate(scores)]
    alone = summarise(plan_of(20), suite_of(gate=FLOOR), {}, results, ["exact"])
    among = summarise(plan_of(20), suite_of(gate=FLOOR + [{"metric": "exact", "at_least": 0.1}] * 9), {}, results, ["exact"])

    assert (alone["verdict"], among["verdict"]) == ("regression", "inconclusive")
    assert among["gates"][0]["sentence"].endswith("but not by enough for one of several checks")


def test_each_model_has_to_meet_the_gate(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    plan = plan_of(30)
    other = replace(plan.variants[0], name="v2·other", model="other:", role=VariantRole.CANDIDATE)
    results = [result_of(f"c{place}", score, name) for name, score in (("v2", 1.0), ("v2·other", 0.0)) for place in range(30)]

    summary = summarise(replace(plan, variants=(*plan.variants, other)), suite_of(gate=FLOOR), {}, results, ["exact"])

    assert [gate["verdict"] for gate in summary["gates"]] == ["pass", "regression"]
    assert summary["verdict"] == "regression"
