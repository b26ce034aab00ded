"""The comparison of two finished runs, model by model, on the cases that both have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptuary.core.database import Session
from promptuary.core.errors import Conflict
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.summary_model import Comparison, VariantRole
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.comparison import (
    PairedScores,
    SamplingDesign,
    compare_variants,
    with_adjusted_p_values,
)


@dataclass(frozen=True)
class RunComparison:
    """A run's candidates compared with another run's.

    Attributes:
        run: the run's id.
        baseline: the other run's id.
        same_dataset: whether both runs are on the same cases.
        cases: the number of cases that both runs have.
        comparisons: one for each pair of candidates of one model, and each metric of both runs.
    """

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    comparisons: tuple[Comparison, ...]


def compare_runs(session: Session, run: Run, baseline: Run) -> RunComparison:
    """Compare two finished runs.

    Raises:
        Conflict: when they share no model or no case.
    """
    metrics = [metric for metric in _metrics(run) if metric in _metrics(baseline)]
    run_scores, baseline_scores = _aggregate(session, run, metrics), _aggregate(session, baseline, metrics)
    shared = run_scores.positions.keys() & baseline_scores.positions.keys()
    pairs = _pairs(run, baseline)
    if not pairs or not shared:
        noun = "case" if pairs else "model"
        raise Conflict(f"the runs '{run.id}' and '{baseline.id}' share no {noun} to be compared on")
    design = SamplingDesign(dataset_store.list_clusters(session, run.plan.dataset.id))
    comparisons = []
    for candidate, other in pairs:
        named = replace(other, name=f"{other.name} of {baseline.id}") if other.name == candidate.name else other
        for metric in metrics:
            pair = PairedScores(
                run_scores.variants[candidate.name].scores(metric).means,
                baseline_scores.variants[other.name].scores(metric).means,
            )
            comparisons.append(compare_variants(candidate, named, metric, pair, design))
    return RunComparison(
        run=run.id,
        baseline=baseline.id,
        same_dataset=run.plan.dataset.digest == baseline.plan.dataset.digest,
        cases=len(shared),
        comparisons=tuple(with_adjusted_p_values(comparisons, run.plan.gated_metrics)),
    )


def _metrics(run: Run) -> Sequence[str]:
    return run.summary.metrics if run.summary else ()


def _pairs(run: Run, baseline: Run) -> list[tuple[Variant, Variant]]:
    """Return each candidate of the run with each candidate of the baseline run under the same model.

    Applications are paired by their names; where each run has one, they are versions of one, whatever they are called.
    """
    candidates, others = (
        [variant for variant in each.plan.variants if variant.role is VariantRole.CANDIDATE] for each in (run, baseline)
    )
    alone = len(candidates) == len(others) == 1
    return [
        (candidate, other)
        for candidate in candidates
        for other in others
        if candidate.model == other.model
        and (candidate.target == other.target or (alone and None not in (candidate.target, other.target)))
    ]


def _aggregate(session: Session, run: Run, metrics: Sequence[str]) -> RunAggregate:
    names = [variant.name for variant in run.plan.variants]
    return RunAggregate.of(store.iterate_figures(session, run.id), names, run.plan.repeats, metrics)
