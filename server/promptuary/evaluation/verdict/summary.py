"""The summary of a run: an interval for every metric, the paired differences, the gate's results and the verdict. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptuary.evaluation.judges.identity import judges_of
from promptuary.evaluation.judges.labels import MetricLabels, unlabelled
from promptuary.evaluation.plan import PASS, SCORE, CaseResult, Plan, ResultFigures, Variant
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import (
    Comparison,
    IntervalFigures,
    MetricSummary,
    Summary,
    VariantSummary,
)
from promptuary.evaluation.verdict.aggregate import RunAggregate, VariantAggregate
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import (
    CaseClusters,
    MetricScores,
    PairedScores,
    SamplingDesign,
    compare_variants,
    metric_interval,
    with_adjusted_p_values,
)
from promptuary.evaluation.verdict.correction import LabelCorrections, compared_variants
from promptuary.evaluation.verdict.gate import ScoreTable, judge_gate, verdict_of
from promptuary.statistics.judges.label_sample import MINIMUM_LABELS
from promptuary.statistics.verdict import Verdict, too_many_unrunnable


@dataclass(frozen=True)
class SummaryContext:
    """What a summary rests on beside the results.

    Attributes:
        order: of a run that may stop early, as far as it is complete; cases beyond it are left out of every mean.
        labels: what people decided on the results of each judged metric; a judge without an entry has no label.
        weights: of cases that do not weigh 1.
    """

    order: CaseOrder | None = None
    labels: Mapping[str, MetricLabels] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


_NO_CONTEXT = SummaryContext()


def summarise(
    plan: Plan,
    suite: Suite,
    clusters: CaseClusters,
    results: Iterable[ResultFigures | CaseResult],
    scorers: Sequence[str],
    context: SummaryContext = _NO_CONTEXT,
) -> Summary:
    """Compute the summary of a run.

    Args:
        plan: of the run.
        suite: whose gate and largest share of results without a verdict apply.
        clusters: the cluster of each case; None for an independent case.
        results: of the run; read once.
        scorers: the scorers' names in the suite's order; those of single cases' scorers, `pass` and `score` are added.
        context: the order of a run that may stop early, and labels of people.
    """
    order = context.order
    gated = {demand.metric for demand in suite.gate}
    names = [variant.name for variant in plan.variants]
    aggregate = RunAggregate.of(results, names, plan.repeats, _with_totals(scorers), gated)
    metrics, design = _with_totals([*scorers, *aggregate.extra_metrics]), SamplingDesign(clusters, order, context.weights)
    scores = {(name, metric): own.scores(metric) for name, own in aggregate.variants.items() for metric in metrics}
    judges = judges_of(suite.scorers)
    labels = {metric: context.labels.get(metric) or unlabelled(judge, MINIMUM_LABELS) for metric, judge in judges.items()}
    corrections = LabelCorrections(aggregate, design, labels)
    gates = judge_gate(plan, suite, scores, design, corrections)
    broken = any(too_many_unrunnable(own.lost, own.results, suite.max_unrunnable) for own in aggregate.variants.values())
    total = sum(own.results for own in aggregate.variants.values())
    return Summary(
        verdict=Verdict.INFRASTRUCTURE if broken else verdict_of(gates),
        metrics=metrics,
        metrics_left_out=len(aggregate.left_out),
        cases=plan.dataset.cases,
        results=total,
        errors=sum(own.errors for own in aggregate.variants.values()),
        unrunnable=sum(own.unrunnable for own in aggregate.variants.values()),
        infrastructure=broken,
        stopped_early=order is not None and total < plan.total,
        variants=tuple(
            _variant_summary(
                variant,
                aggregate.variants[variant.name],
                {metric: _metric_summary(scores[variant.name, metric], design) for metric in metrics},
            )
            for variant in plan.variants
        ),
        comparisons=tuple(with_adjusted_p_values(list(_comparisons(plan, metrics, scores, design)), gated)),
        gates=tuple(gates),
        judges=tuple(of_metric.judge for of_metric in corrections.labels.values()),
        corrections=() if order is not None else tuple(corrections.figures(plan, scores)),
    )


def _with_totals(scorers: Sequence[str]) -> tuple[str, ...]:
    """Return the scorers' metrics and those that every result has, each once."""
    return tuple(dict.fromkeys((*scorers, PASS, SCORE)))


def _metric_summary(scores: MetricScores, design: SamplingDesign) -> MetricSummary:
    interval = IntervalFigures.model_validate(metric_interval(scores, design)) if scores.means else None
    return MetricSummary(interval=interval, scored=scores.scored, unscored=scores.unscored)


def _variant_summary(variant: Variant, aggregate: VariantAggregate, metrics: dict[str, MetricSummary]) -> VariantSummary:
    return VariantSummary(
        name=variant.name,
        role=variant.role,
        model=variant.model,
        prompt=variant.prompt,
        version=variant.version,
        digest=variant.digest,
        references=variant.references,
        target=variant.target,
        target_versions=(variant.target_version,) if variant.target_version else (),
        results=aggregate.results,
        errors=aggregate.errors,
        unrunnable=aggregate.unrunnable,
        latency_ms=aggregate.latency_ms,
        tokens=aggregate.tokens,
        cost=aggregate.cost,
        metrics=metrics,
    )


def _comparisons(plan: Plan, metrics: Sequence[str], scores: ScoreTable, design: SamplingDesign) -> Iterator[Comparison]:
    """Yield the comparison of each candidate with each baseline of its model, metric by metric."""
    for candidate, baseline in compared_variants(plan.variants):
        for metric in metrics:
            pair = PairedScores(scores[candidate.name, metric].means, scores[baseline.name, metric].means)
            yield compare_variants(candidate, baseline, metric, pair, design)
