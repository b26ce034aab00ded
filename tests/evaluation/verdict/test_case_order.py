"""The order of a run that may stop early, and its gate at repeated interim analyses."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.evaluation.verdict.case_order import FIRST_ANALYSIS, CaseOrder, interim_analyses
from promptuary.evaluation.verdict.comparison import MetricScores, SamplingDesign
from promptuary.evaluation.verdict.gate import judge_gate

clusters = st.dictionaries(st.text(min_size=1, max_size=3), st.none() | st.sampled_from("abc"), min_size=1, max_size=20)


@given(clusters, st.text(max_size=5))
def test_an_order_has_every_case_once_and_keeps_clusters_together(clusters_by_case: dict[str, str | None], seed: str) -> None:
    order = CaseOrder.of(clusters_by_case, seed)

    assert sorted(case for unit in order.units for case in unit) == sorted(clusters_by_case)
    assert len(order.units) == len({clusters_by_case[case] or ("alone", case) for case in clusters_by_case})
    assert order == CaseOrder.of(clusters_by_case, seed)


def test_another_run_has_another_order() -> None:
    cases = {f"c{number}": None for number in range(50)}

    assert CaseOrder.of(cases, "run_1") != CaseOrder.of(cases, "run_2")


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_interim_analyses_ascend_to_the_last(count: int) -> None:
    analyses = interim_analyses(count)

    assert analyses == sorted(set(analyses))
    assert analyses[-1] == count
    assert all(analysis >= min(FIRST_ANALYSIS, count) for analysis in analyses)


def test_a_cluster_counts_once_however_many_cases_it_has() -> None:
    order = CaseOrder.of({"a": "k", "b": "k", "c": "k", "d": None}, "s")
    interval = order.interval({"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}, 0.95)

    assert interval is not None
    assert (interval.estimate, interval.n, interval.clusters) == (0.5, 4, 2)


def test_no_known_value_has_no_interval() -> None:
    assert CaseOrder.of({"a": None}, "s").interval({}, 0.95) is None


def test_repeated_analyses_pass_a_candidate_at_its_floor_no_more_often(plan_of: Any, suite_of: Any) -> None:
    """At every interim analysis the lower bound must stay at or below the truth, in all but 2.5 % of runs."""
    rng = np.random.default_rng(11)
    suite, floor, wrong = suite_of(gate=[{"metric": "exact", "at_least": 0.8}]), 0.8, 0
    for run in range(40):
        cases = {f"c{place}": None for place in range(120)}
        order = CaseOrder.of(cases, str(run))
        values = {unit[0]: float(rng.random() < floor - 1e-9) for unit in order.units}
        verdicts = set()
        for done in interim_analyses(len(values)):
            known = {unit[0]: values[unit[0]] for unit in order.units[:done]}
            scores = {("v2", "exact"): MetricScores(known, done, 0)}
            design = SamplingDesign({}, order)
            verdicts |= {gate.verdict for gate in judge_gate(plan_of(120), suite, scores, design)}
        wrong += "pass" in verdicts
    assert wrong <= 3
