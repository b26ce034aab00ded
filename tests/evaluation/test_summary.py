"""Summaries of results made by hand, whose figures can be worked out on paper."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptuary.evaluation.comparison import scores_of
from promptuary.evaluation.plan import VariantRole
from promptuary.evaluation.summary import EXIT_CODES, summarise
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]


@pytest.fixture
def told(plan_of: Make, suite_of: Make, result_of: Make) -> Make:
    """Summarise scores by variant, one a case, under a gate."""

    def tell(gate: list[dict[str, Any]], *, clusters: dict[str, str | None] | None = None, **scores: list[Any]) -> Any:
        number = len(next(iter(scores.values())))
        plan = plan_of(number, baseline="production" if "v1" in scores else None)
        results = [result_of(f"c{place}", score, variant) for variant, own in scores.items() for place, score in enumerate(own)]
        return summarise(plan, suite_of(gate=gate), clusters or {}, results, ["exact"])

    return tell


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


def test_a_floor_out_of_reach_is_a_regression(told: Make) -> None:
    assert told(FLOOR, v2=[0.0] * 20)["verdict"] == "regression"


def test_without_a_gate_a_run_passes(told: Make) -> None:
    assert told([], v2=[0.0] * 5)["verdict"] == "pass"


def test_versions_are_compared_on_the_same_cases(told: Make) -> None:
    summary = told(NOT_WORSE, v2=[1.0, 0.0, None, 1.0], v1=[0.0, 1.0, 1.0, 1.0])

    (exact, *_) = summary["comparisons"]
    assert (exact["metric"], exact["cases"], exact["unpaired"]) == ("exact", 3, 1)
    assert (exact["better"], exact["worse"]) == (["c0"], ["c1"])
    assert exact["interval"]["estimate"] == 0.0


def test_repeats_are_averaged_before_anything_else(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [result_of("c1", 1.0), result_of("c1", 0.0, repeat=1), result_of("c2", 1.0), result_of("c2", None, repeat=1)]

    assert scores_of(results, "exact").means == {"c1": 0.5, "c2": 1.0}
    assert scores_of(results, "exact").unscored == 1
    interval = summarise(plan_of(2, repeats=2), suite_of(), {}, results, ["exact"])["variants"][0]["metrics"]["exact"]
    assert (interval["interval"]["n"], interval["interval"]["estimate"]) == (2, 0.75)


def test_cases_of_a_cluster_are_not_independent(told: Make) -> None:
    scores = [1.0, 1.0, 0.0, 0.0] * 10
    apart = told([], v2=scores)["variants"][0]["metrics"]["exact"]["interval"]
    together = told([], v2=scores, clusters={f"c{place}": f"k{place // 2}" for place in range(40)})
    interval = together["variants"][0]["metrics"]["exact"]["interval"]

    assert interval["clusters"] == 20
    assert interval["high"] - interval["low"] > apart["high"] - apart["low"]


def test_what_could_not_be_run_is_counted_and_never_a_zero(told: Make) -> None:
    summary = told(FLOOR, v2=[1.0] * 97 + [None] * 3)

    assert summary["variants"][0]["metrics"]["exact"]["interval"]["estimate"] == 1.0
    assert (summary["errors"], summary["unrunnable"], summary["verdict"]) == (3, 3, "pass")


def test_too_much_that_could_not_be_run_is_infrastructure(told: Make) -> None:
    assert told(FLOOR, v2=[1.0] * 94 + [None] * 6)["verdict"] == "infrastructure"


def test_a_baseline_that_could_not_be_run_is_infrastructure_too(told: Make) -> None:
    assert told(NOT_WORSE, v2=[1.0] * 10, v1=[None] * 10)["verdict"] == "infrastructure"


def test_nothing_scored_at_all_is_infrastructure_whatever_is_borne(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    suite = suite_of(gate=FLOOR, max_unrunnable=1.0)

    summary = summarise(plan_of(2), suite, {}, [result_of("c1", None), result_of("c2", None)], ["exact"])

    assert summary["verdict"] == "infrastructure"
    assert summary["gates"][0]["sentence"] == "no case has a score for 'exact'"


def test_a_scorer_outside_the_verdict_that_the_gate_asks_for_must_have_run(
    plan_of: Make, suite_of: Make, result_of: Make
) -> None:
    results = [result_of(f"c{place}", 1.0, metrics={"exact": None}) for place in range(10)]

    assert summarise(plan_of(10), suite_of(gate=FLOOR), {}, results, ["exact"])["verdict"] == "infrastructure"


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


def test_a_summary_is_json_and_every_verdict_has_its_exit_code(told: Make) -> None:
    summary = told(NOT_WORSE, v2=[1.0, 0.0], v1=[1.0, 1.0])

    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert EXIT_CODES == {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": 3}
    assert set(EXIT_CODES) == set(Verdict)


def test_time_and_tokens_are_added_up(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [
        result_of("c1", 1.0, detail={"latency_ms": 5.0, "tokens": {"input": 3, "output": 1}}),
        result_of("c2", 1.0, detail={"latency_ms": 9.0, "tokens": {"input": 4, "output": 1}}),
        result_of("c3", None),
    ]

    (variant,) = summarise(plan_of(3), suite_of(), {}, results, ["exact"])["variants"]

    assert variant["latency_ms"] == {"median": 9.0, "slowest": 9.0}
    assert variant["tokens"] == {"input": 7, "output": 2}
