"""What a run's results say: an interval for every metric, the paired differences, and the verdict. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from promptuary.evaluation.comparison import Clusters, Scores, adjusted, comparison, mean_of
from promptuary.evaluation.gate import checks, judge
from promptuary.evaluation.plan import PASS, SCORE, Figures, Plan, Result, Variant, VariantRole
from promptuary.evaluation.sequence import Order
from promptuary.evaluation.suite import Suite
from promptuary.evaluation.tally import Tally
from promptuary.statistics.verdict import Verdict, infrastructure, worst

CASES_LISTED = 1000
EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.INCONCLUSIVE: 2,
    Verdict.INFRASTRUCTURE: 3,
}


def summarise(
    plan: Plan,
    suite: Suite,
    clusters: Clusters,
    results: Iterable[Figures | Result],
    scorers: Sequence[str],
    order: Order | None = None,
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
    tally = Tally.of(results, (variant.name for variant in plan.variants), plan.repeats, metrics, asked)
    metrics = tuple(dict.fromkeys((*scorers, *tally.more, PASS, SCORE)))
    scores = {(name, metric): own.scores(metric) for name, own in tally.variants.items() for metric in metrics}
    gates = judge(checks(plan, suite, clusters, scores, order))
    broken = any(infrastructure(own.lost, own.results, suite.max_unrunnable) for own in tally.variants.values())
    verdict = Verdict.INFRASTRUCTURE if broken else Verdict.PASS
    if gates and not broken:
        verdict = worst(Verdict(gate["verdict"]) for gate in gates)
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
        "comparisons": adjusted(
            [
                shortened(
                    comparison(
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


def shortened(compared: dict[str, Any]) -> dict[str, Any]:
    """Give a comparison with at most `CASES_LISTED` cases in each list; where that leaves some out, with how many there are."""
    shown = dict(compared)
    for name in ("better", "worse"):
        if len(shown[name]) > CASES_LISTED:
            shown[f"{name}_in_all"] = len(shown[name])
            shown[name] = shown[name][:CASES_LISTED]
    return shown


def _figures(scores: Scores, clusters: Clusters, order: Order | None) -> dict[str, Any]:
    interval = asdict(mean_of(scores, clusters, order=order)) if scores.means else None
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
