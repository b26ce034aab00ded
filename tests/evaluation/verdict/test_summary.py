"""Summaries of results made by hand, whose figures can be worked out on paper."""

import json
from collections.abc import Callable
from typing import Any

from promptuary.evaluation.verdict.comparison import scores_of
from promptuary.evaluation.verdict.summary import EXIT_CODES, summarise
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]


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


def test_scores_of_0_or_1_without_clusters_have_mcnemars_p_value_adjusted_over_the_gate(told: Make) -> None:
    # Nine gains and one loss: 2 · (1 + 10) / 2^10.
    ours, theirs = [1.0] * 9 + [0.0], [0.0] * 9 + [1.0]
    by_metric = {one["metric"]: one for one in told(NOT_WORSE, v2=ours, v1=theirs)["comparisons"]}

    assert by_metric["exact"]["p_value"] == by_metric["exact"]["adjusted"] == 22 / 1024
    assert (by_metric["pass"]["p_value"], by_metric["pass"]["adjusted"]) == (22 / 1024, None)


def test_with_clusters_or_partial_scores_there_is_no_p_value(told: Make) -> None:
    ours, theirs = [1.0, 0.0] * 10, [0.0, 0.0] * 10
    clustered = told(NOT_WORSE, v2=ours, v1=theirs, clusters={f"c{place}": f"k{place // 2}" for place in range(20)})
    partial = told(NOT_WORSE, v2=[0.5, *ours[1:]], v1=theirs)

    assert clustered["comparisons"][0]["p_value"] is None
    assert partial["comparisons"][0]["p_value"] is None


def test_few_clusters_are_drawn_again_instead_of_taken_for_normal(told: Make) -> None:
    ours, theirs = [1.0, 1.0, 0.0, 1.0] * 12, [0.0, 1.0, 1.0, 1.0] * 10 + [0.0] * 8
    summary = told(NOT_WORSE, v2=ours, v1=theirs, clusters={f"c{place}": f"k{place % 7}" for place in range(48)})

    assert summary["variants"][0]["metrics"]["exact"]["interval"]["method"] == "cluster-bootstrap"
    assert summary["comparisons"][0]["interval"]["method"] == "paired-cluster-bootstrap"
    assert summary == told(NOT_WORSE, v2=ours, v1=theirs, clusters={f"c{place}": f"k{place % 7}" for place in range(48)})


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


def test_a_summary_is_json_and_every_verdict_has_its_exit_code(told: Make) -> None:
    summary = told(NOT_WORSE, v2=[1.0, 0.0], v1=[1.0, 1.0])

    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert EXIT_CODES == {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": 3}
    assert set(EXIT_CODES) == set(Verdict)


def test_time_tokens_and_cost_are_added_up(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [
        result_of("c1", 1.0, latency_ms=5.0, tokens_input=3, tokens_output=1, cost=0.25),
        result_of("c2", 1.0, latency_ms=9.0, tokens_input=4, tokens_output=1, cost=0.5),
        result_of("c3", None),
    ]

    (variant,) = summarise(plan_of(3), suite_of(), {}, results, ["exact"])["variants"]

    assert variant["latency_ms"] == {"median": 9.0, "slowest": 9.0}
    assert variant["tokens"] == {"input": 7, "output": 2}
    assert variant["cost"] == 0.75
