"""What a run's results say: an interval for every metric, the paired differences, and the verdict. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from promptuary.evaluation.plan import PASS, SCORE, CaseResult, Plan, ResultFigures, Variant, VariantRole
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import (
    CaseClusters,
    MetricScores,
    compare_variants,
    metric_interval,
    with_adjusted_p_values,
)
from promptuary.evaluation.verdict.gate import build_checks, judge_gate
from promptuary.statistics.verdict import Verdict, too_many_unrunnable, worst_verdict

LISTED_CASES_LIMIT = 1000
EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.INCONCLUSIVE: 2,
    Verdict.INFRASTRUCTURE: 3,
}


def summarise(
    plan: Plan,
    suite: Suite,
    clusters: CaseClusters,
    results: Iterable[ResultFigures | CaseResult],
    scorers: Sequence[str],
    order: CaseOrder | None = None,
) -> dict[str, Any]:
    """Give the summary as JSON values.

    Args:
        plan: of the run.
        suite: whose gate and largest share of unrunnable cases apply.
        clusters: the cluster of each case; None for a case that stands alone.
        results: of the run; gone through once.
        scorers: the scorers' names in the suite's order; those of cases' own scorers, `pass` and `score` are added.
        order: of a run that may stop early, as far as it came; cases beyond it are left out of every mean.
    """
    metrics = tuple(dict.fromkeys((*scorers, PASS, SCORE)))
    asked = {gate.metric for gate in suite.gate}
    tally = RunAggregate.of(results, (variant.name for variant in plan.variants), plan.repeats, metrics, asked)
    metrics = tuple(dict.fromkeys((*scorers, *tally.more, PASS, SCORE)))
    scores = {(name, metric): own.scores(metric) for name, own in tally.variants.items() for metric in metrics}
    gates = judge_gate(build_checks(plan, suite, clusters, scores, order))
    broken = any(too_many_unrunnable(own.lost, own.results, suite.max_unrunnable) for own in tally.variants.values())
    verdict = Verdict.INFRASTRUCTURE if broken else Verdict.PASS
    if gates and not broken:
        verdict = worst_verdict(Verdict(gate["verdict"]) for gate in gates)
    return {
        "verdict": verdict.value,
        "metrics": list(metrics),
        "metrics_left_out": len(tally.left_out),
        "cases": plan.dataset.cases,
        "results": sum(own.results for own in tally.variants.values()),
        "errors": sum(own.errors for own in tally.variants.values()),
        "unrunnable": sum(own.unrunnable for own in tally.variants.values()),
        "infrastructure": broken,
        "stopped_early": order is not None and sum(own.results for own in tally.variants.values()) < plan.total,
        "variants": [
            _variant(variant)
            | tally.variants[variant.name].figures()
            | {"metrics": {metric: _figures(scores[variant.name, metric], clusters, order) for metric in metrics}}
            for variant in plan.variants
        ],
        "comparisons": with_adjusted_p_values(
            [
                truncate_case_lists(
                    compare_variants(
                        candidate,
                        baseline,
                        metric,
                        scores[candidate.name, metric],
                        scores[baseline.name, metric],
                        clusters,
                        order,
                    )
                )
                for candidate, baseline in _pairs(plan)
                for metric in metrics
            ],
            asked,
        ),
        "gates": gates,
    }


def truncate_case_lists(compared: dict[str, Any]) -> dict[str, Any]:
    """Give a comparison with at most `LISTED_CASES_LIMIT` cases in each list; add the total where some are left out."""
    shown = dict(compared)
    for name in ("better", "worse"):
        if len(shown[name]) > LISTED_CASES_LIMIT:
            shown[f"{name}_in_all"] = len(shown[name])
            shown[name] = shown[name][:LISTED_CASES_LIMIT]
    return shown


def _figures(scores: MetricScores, clusters: CaseClusters, order: CaseOrder | None) -> dict[str, Any]:
    interval = asdict(metric_interval(scores, clusters, order=order)) if scores.means else None
    return {"interval": interval, "scored": scores.scored, "unscored": scores.unscored}


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "role": variant.role.value,
        "model": variant.model,
        "prompt": variant.prompt,
        "version": variant.version,
        "digest": variant.digest,
        "references": list(variant.references),
    }


def _pairs(plan: Plan) -> list[tuple[Variant, Variant]]:
    """Each candidate with each baseline of its model."""
    return [
        (candidate, baseline)
        for candidate in plan.variants
        for baseline in plan.variants
        if candidate.role is VariantRole.CANDIDATE
        and baseline.role is VariantRole.BASELINE
        and candidate.model == baseline.model
    ]
