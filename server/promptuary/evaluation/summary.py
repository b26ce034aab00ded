"""What a run's results say: an interval for every metric, the paired differences, and the verdict. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from promptuary.evaluation.comparison import PASS, SCORE, Clusters, Scores, adjusted, comparison, mean_of, scores_of, value_of
from promptuary.evaluation.gate import checks, judge
from promptuary.evaluation.plan import Plan, Result, Variant, VariantRole
from promptuary.evaluation.suite import Suite
from promptuary.statistics.verdict import Verdict, infrastructure, worst

EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.INCONCLUSIVE: 2,
    Verdict.INFRASTRUCTURE: 3,
}


def summarise(
    plan: Plan, suite: Suite, clusters: Clusters, results: Sequence[Result], scorers: Sequence[str]
) -> dict[str, Any]:
    """Give the summary as JSON values.

    Args:
        plan: of the run.
        suite: whose gate and largest share of unrunnable cases apply.
        clusters: the cluster of each case; None for a case that stands alone.
        results: of the run.
        scorers: the scorers' names in the suite's order; `pass` and `score` are added.
    """
    metrics = tuple(dict.fromkeys((*scorers, PASS, SCORE)))
    scores = {
        (variant.name, metric): scores_of([result for result in results if result.variant == variant.name], metric)
        for variant in plan.variants
        for metric in metrics
    }
    gates = judge(checks(plan, suite, clusters, scores))
    broken = _broken(plan, suite, results)
    verdict = Verdict.INFRASTRUCTURE if broken else Verdict.PASS
    if gates and not broken:
        verdict = worst(Verdict(gate["verdict"]) for gate in gates)
    return {
        "verdict": verdict.value,
        "metrics": list(metrics),
        "cases": plan.dataset.cases,
        "results": len(results),
        "errors": sum(result.error is not None for result in results),
        "unrunnable": sum(result.unrunnable for result in results),
        "infrastructure": broken,
        "variants": [
            _variant(variant, [result for result in results if result.variant == variant.name])
            | {"metrics": {metric: _figures(scores[variant.name, metric], clusters) for metric in metrics}}
            for variant in plan.variants
        ],
        "comparisons": adjusted(
            [
                comparison(candidate, baseline, metric, scores[candidate.name, metric], scores[baseline.name, metric], clusters)
                for candidate, baseline in _pairs(plan)
                for metric in metrics
            ],
            {gate.metric for gate in suite.gate},
        ),
        "gates": gates,
    }


def _figures(scores: Scores, clusters: Clusters) -> dict[str, Any]:
    interval = asdict(mean_of(scores, clusters)) if scores.means else None
    return {"interval": interval, "scored": scores.scored, "unscored": scores.unscored}


def _variant(variant: Variant, results: Sequence[Result]) -> dict[str, Any]:
    times = sorted(result.latency_ms for result in results if result.latency_ms is not None)
    counted = [result for result in results if result.tokens_input is not None]
    priced = [result.cost for result in results if result.cost is not None]
    return {
        "name": variant.name,
        "role": variant.role.value,
        "model": variant.model,
        "prompt": variant.prompt,
        "version": variant.version,
        "digest": variant.digest,
        "references": list(variant.references),
        "results": len(results),
        "errors": sum(result.error is not None for result in results),
        "unrunnable": sum(result.unrunnable for result in results),
        "latency_ms": {"median": times[len(times) // 2], "slowest": times[-1]} if times else None,
        "tokens": {
            "input": sum(result.tokens_input or 0 for result in counted),
            "output": sum(result.tokens_output or 0 for result in counted),
        }
        if counted
        else None,
        "cost": math.fsum(priced) if priced else None,
    }


def _broken(plan: Plan, suite: Suite, results: Sequence[Result]) -> bool:
    """Whether any variant could not be run, or not be scored on what the gate asks for, on too large a share of its results."""
    asked = {gate.metric for gate in suite.gate}
    for variant in plan.variants:
        own = [result for result in results if result.variant == variant.name]
        lost = sum(result.unrunnable or any(value_of(result, metric) is None for metric in asked) for result in own)
        if infrastructure(lost, len(own), suite.max_unrunnable):
            return True
    return False


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
