"""The figures of a run's copy in MLflow. Pure."""

from dataclasses import replace
from typing import Any

from factories.judged_results import judge_figures, judged_outputs
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.tracking.logged_values import run_values, variant_values


def run_of(plan: Plan, summary: Any, clock: Any) -> Run:
    fields = dict.fromkeys(Run.__dataclass_fields__)
    known = {"id": "run_1", "suite": "words", "plan": plan, "summary": summary, "state": RunState.FINISHED, "done": 2}
    return Run(**fields | known | {"created_at": clock()})


def test_corrected_figures_are_logged_beside_the_raw_ones(summarise_judged: Any, plan_of: Any, clock: Any) -> None:
    outputs = judged_outputs(1, sensitivity=0.8)
    summary = summarise_judged([], judge_figures(), v2=outputs, v1=replace(outputs, labels=[None] * 300))
    run = run_of(plan_of(300, baseline="production"), summary, clock)
    candidate, baseline = (variant_values(run, variant, "default").metrics for variant in run.plan.variants)
    figures = summary.corrections[0]
    assert figures.corrected is not None
    assert candidate["rubric"] == summary.variants[0].metrics["rubric"].interval.estimate
    assert candidate["rubric_corrected"] == figures.corrected.estimate
    assert (candidate["rubric_corrected_low"], candidate["rubric_labels"]) == (figures.corrected.low, figures.labels)
    assert candidate["rubric_effective_labels"] == figures.effective_labels
    assert "rubric_corrected" not in baseline
    assert run_values(run, "default", {}).metrics["difference.v2.v1.rubric_labels"] == 0
