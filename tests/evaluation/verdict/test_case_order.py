"""Orders that whole clusters keep to, and gates that may be looked at again and again."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptuary.evaluation.verdict.case_order import FIRST_ANALYSIS, CaseOrder, interim_analyses
from promptuary.evaluation.verdict.comparison import MetricScores
from promptuary.evaluation.verdict.gate import build_checks, judge_gate

clusters = st.dictionaries(st.text(min_size=1, max_size=3), st.none() | st.sampled_from("abc"), min_size=1, max_size=20)


@given(clusters, st.text(max_size=5))
def test_an_order_has_every_case_once_and_keeps_clusters_together(given: dict[str, str | None], seed: str) -> None:
    order = CaseOrder.of(given, seed)

    assert sorted(case for unit in order.units for case in unit) == sorted(given)
    assert len(order.units) == len({given[case] or ("alone", case) for case in given})
    assert order == CaseOrder.of(given, seed)


def test_another_run_has_another_order() -> None:
    cases = {f"c{number}": None for number in range(50)}

    assert CaseOrder.of(cases, "run_1") != CaseOrder.of(cases, "run_2")


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_looks_ascend_to_the_last(count: int) -> None:
    found = interim_analyses(count)

    assert found == sorted(set(found))
    assert found[-1] == count
    assert all(look >= min(FIRST_ANALYSIS, count) for look in found)


def test_a_cluster_counts_once_however_many_cases_it_has() -> None:
    order = CaseOrder.of({"a": "k", "b": "k", "c": "k", "d": None}, "s")
    found = order.interval({"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}, 0.95)

    assert found is not None
    assert (found.estimate, found.n, found.clusters) == (0.5, 4, 2)


def test_nothing_that_is_known_has_no_interval() -> None:
    assert CaseOrder.of({"a": None}, "s").interval({}, 0.95) is None


def test_a_gate_that_is_looked_at_all_the_time_passes_a_candidate_at_its_floor_as_rarely_as_it_says(
    plan_of: Any, suite_of: Any
) -> None:
    """At every look the lower bound must stay at or below the truth, in all but 2.5 % of runs."""
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
            verdicts |= {gate["verdict"] for gate in judge_gate(build_checks(plan_of(120), suite, {}, scores, order))}
        wrong += "pass" in verdicts
    assert wrong <= 3
