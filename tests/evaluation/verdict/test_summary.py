"""Summaries of hand-made results, whose figures can be computed on paper."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from paths import GOLDEN
from promptuary.evaluation.summary_model import IntervalFigures, LatencyFigures, Summary, TokenFigures
from promptuary.evaluation.verdict.summary import summarise
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
Summarise = Callable[..., Summary]
FLOOR = [{"metric": "exact", "at_least": 0.8}]
NOT_WORSE = [{"metric": "exact", "not_worse_than": "production", "by": 0.1}]
STORED = json.loads((GOLDEN / "summary-0.3.0.json").read_text(encoding="utf-8"))


def exact_interval(summary: Summary) -> IntervalFigures:
    """Return the interval of the first variant on the metric `exact`."""
    interval = summary.variants[0].metrics["exact"].interval
    assert interval is not None
    return interval


@pytest.mark.parametrize("name", sorted(STORED))
def test_a_summary_stored_by_0_3_0_is_written_as_it_was_read(name: str) -> None:
    text = json.dumps(STORED[name])
    assert json.dumps(Summary.from_json(json.loads(text)).json_body()) == text


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_run_without_a_gate_meets_none(summarise_scores: Summarise, score: float) -> None:
    assert summarise_scores([], v2=[score] * 5).verdict is Verdict.NO_GATE


def test_a_run_without_a_gate_can_still_fail_to_run(summarise_scores: Summarise) -> None:
    assert summarise_scores([], v2=[None] * 5).verdict is Verdict.INFRASTRUCTURE


def test_versions_are_compared_on_the_same_cases(summarise_scores: Summarise) -> None:
    summary = summarise_scores(NOT_WORSE, v2=[1.0, 0.0, None, 1.0], v1=[0.0, 1.0, 1.0, 1.0])

    (exact, *_) = summary.comparisons
    assert (exact.metric, exact.cases, exact.unpaired) == ("exact", 3, 1)
    assert (exact.better, exact.worse) == (("c0",), ("c1",))
    assert exact.interval is not None
    assert exact.interval.estimate == 0.0


def test_repeats_are_averaged_before_anything_else(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [result_of("c1", 1.0), result_of("c1", 0.0, repeat=1), result_of("c2", 1.0), result_of("c2", None, repeat=1)]

    exact = summarise(plan_of(2, repeats=2), suite_of(), {}, results, ["exact"]).variants[0].metrics["exact"]

    assert exact.interval is not None
    assert (exact.interval.n, exact.interval.estimate) == (2, 0.75)
    assert (exact.scored, exact.unscored) == (3, 1)


def test_cases_of_a_cluster_are_not_independent(summarise_scores: Summarise) -> None:
    scores = [1.0, 1.0, 0.0, 0.0] * 10
    independent = exact_interval(summarise_scores([], v2=scores))
    clusters = {f"c{place}": f"k{place // 2}" for place in range(40)}
    clustered = exact_interval(summarise_scores([], v2=scores, clusters=clusters))

    assert clustered.clusters == 20
    assert clustered.high - clustered.low > independent.high - independent.low


def test_binary_scores_have_mcnemars_p_value_adjusted_over_the_gate(summarise_scores: Summarise) -> None:
    # Nine gains and one loss: 2 · (1 + 10) / 2^10.
    candidate, baseline = [1.0] * 9 + [0.0], [0.0] * 9 + [1.0]
    summary = summarise_scores(NOT_WORSE, v2=candidate, v1=baseline)
    by_metric = {comparison.metric: comparison for comparison in summary.comparisons}

    assert by_metric["exact"].p_value == by_metric["exact"].adjusted == 22 / 1024
    assert (by_metric["pass"].p_value, by_metric["pass"].adjusted) == (22 / 1024, None)


def test_clusters_or_partial_scores_have_no_p_value(summarise_scores: Summarise) -> None:
    candidate, baseline = [1.0, 0.0] * 10, [0.0, 0.0] * 10
    clusters = {f"c{place}": f"k{place // 2}" for place in range(20)}
    clustered = summarise_scores(NOT_WORSE, v2=candidate, v1=baseline, clusters=clusters)
    partial = summarise_scores(NOT_WORSE, v2=[0.5, *candidate[1:]], v1=baseline)

    assert clustered.comparisons[0].p_value is None
    assert partial.comparisons[0].p_value is None


def test_few_clusters_are_bootstrapped_with_a_fixed_seed(summarise_scores: Summarise) -> None:
    candidate, baseline = [1.0, 1.0, 0.0, 1.0] * 12, [0.0, 1.0, 1.0, 1.0] * 10 + [0.0] * 8
    clusters = {f"c{place}": f"k{place % 7}" for place in range(48)}
    summary = summarise_scores(NOT_WORSE, v2=candidate, v1=baseline, clusters=clusters)

    difference = summary.comparisons[0].interval
    assert exact_interval(summary).method == "cluster-bootstrap"
    assert difference is not None
    assert difference.method == "paired-cluster-bootstrap"
    assert summary == summarise_scores(NOT_WORSE, v2=candidate, v1=baseline, clusters=clusters)


def test_an_unrunnable_result_is_counted_and_never_a_zero(summarise_scores: Summarise) -> None:
    summary = summarise_scores(FLOOR, v2=[1.0] * 97 + [None] * 3)

    assert exact_interval(summary).estimate == 1.0
    assert (summary.errors, summary.unrunnable, summary.verdict) == (3, 3, Verdict.PASS)


def test_too_many_unrunnable_results_are_infrastructure(summarise_scores: Summarise) -> None:
    assert summarise_scores(FLOOR, v2=[1.0] * 94 + [None] * 6).verdict is Verdict.INFRASTRUCTURE


def test_an_unrunnable_baseline_is_infrastructure_too(summarise_scores: Summarise) -> None:
    assert summarise_scores(NOT_WORSE, v2=[1.0] * 10, v1=[None] * 10).verdict is Verdict.INFRASTRUCTURE


def test_no_score_at_all_is_infrastructure_whatever_share_is_accepted(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    suite = suite_of(gate=FLOOR, max_unrunnable=1.0)

    summary = summarise(plan_of(2), suite, {}, [result_of("c1", None), result_of("c2", None)], ["exact"])

    assert summary.verdict is Verdict.INFRASTRUCTURE
    assert summary.gates[0].sentence == "no case has a score for 'exact'"


def test_a_gated_scorer_outside_the_verdict_must_have_run(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [result_of(f"c{place}", 1.0, metrics={"exact": None}) for place in range(10)]

    summary = summarise(plan_of(10), suite_of(gate=FLOOR), {}, results, ["exact"])

    assert summary.verdict is Verdict.INFRASTRUCTURE


def test_a_summary_survives_its_json(summarise_scores: Summarise) -> None:
    summary = summarise_scores(NOT_WORSE, v2=[1.0, 0.0], v1=[1.0, 1.0])

    body = json.loads(json.dumps(summary.json_body(), allow_nan=False))
    assert body == summary.json_body()
    assert Summary.from_json(body) == summary
    assert "missing" not in body


def test_time_tokens_and_cost_are_added_up(plan_of: Make, suite_of: Make, result_of: Make) -> None:
    results = [
        result_of("c1", 1.0, latency_ms=5.0, tokens_input=3, tokens_output=1, cost=0.25),
        result_of("c2", 1.0, latency_ms=9.0, tokens_input=4, tokens_output=1, cost=0.5),
        result_of("c3", None),
    ]

    (variant,) = summarise(plan_of(3), suite_of(), {}, results, ["exact"]).variants

    assert variant.latency_ms == LatencyFigures(median=9.0, slowest=9.0)
    assert variant.tokens == TokenFigures(input=7, output=2)
    assert variant.cost == 0.75
