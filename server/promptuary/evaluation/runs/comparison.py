"""The comparison of two finished runs, model by model, on the cases whose content both have."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptuary.core.database import Session
from promptuary.core.errors import Conflict
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.plan import PASS, SCORE, Variant
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.definition import SuiteDefinition
from promptuary.evaluation.summary_model import Comparison, VariantRole
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.comparison import (
    PairedScores,
    SamplingDesign,
    compare_variants,
    with_adjusted_p_values,
)
from promptuary.evaluation.verdict.pairing import (
    CaseIdentity,
    CasePairing,
    UnpairedCases,
    UnpairedReason,
    group_unpaired,
    pair_by_id,
    pair_cases,
)
from promptuary.prompt.canonical_json import json_identity


@dataclass(frozen=True)
class RunComparison:
    """A run's candidates compared with another run's.

    Attributes:
        run: the run's id.
        baseline: the other run's id.
        same_dataset: whether both runs are on the same cases.
        cases: the number of cases that are paired: those whose content both runs have.
        unpaired: the cases of each run without a counterpart, by reason.
        renamed: the baseline's id of each listed case that has another id there.
        changed_metrics: the metrics whose scorers are not the same in the two runs' suites.
        comparisons: one for each pair of candidates of one model, and each metric of both runs.
    """

    run: str
    baseline: str
    same_dataset: bool
    cases: int
    unpaired: tuple[UnpairedCases, ...]
    renamed: Mapping[str, str]
    changed_metrics: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


def compare_runs(session: Session, run: Run, baseline: Run) -> RunComparison:
    """Compare two finished runs, paired by the cases' content.

    Raises:
        Conflict: when they share no model or no case.
    """
    metrics = [metric for metric in _metrics(run) if metric in _metrics(baseline)]
    run_scores, baseline_scores = _aggregate(session, run, metrics), _aggregate(session, baseline, metrics)
    variants = _variant_pairs(run, baseline)
    if not variants:
        raise Conflict(f"the runs '{run.id}' and '{baseline.id}' share no model to be compared on")
    pairing = _pairing(session, run, baseline, run_scores).restricted(run_scores.positions, baseline_scores.positions)
    if not pairing.pairs:
        raise Conflict(f"the runs '{run.id}' and '{baseline.id}' share no case to be compared on: {_why_no_case(pairing)}")
    dataset = run.plan.dataset.id
    weights = dataset_store.list_weights(session, dataset)
    design = SamplingDesign(dataset_store.list_clusters(session, dataset), weights=weights)
    comparisons = []
    for candidate, other in variants:
        named = replace(other, name=f"{other.name} of {baseline.id}") if other.name == candidate.name else other
        for metric in metrics:
            scores = run_scores.variants[candidate.name].scores(metric).means
            baseline_means = baseline_scores.variants[other.name].scores(metric).means
            pair = PairedScores(scores, pairing.rekeyed(baseline_means))
            comparison = compare_variants(candidate, named, metric, pair, design)
            unpaired = len(scores) + len(baseline_means) - 2 * len(pair.cases)
            comparisons.append(comparison.model_copy(update={"unpaired": unpaired}))
    return RunComparison(
        run=run.id,
        baseline=baseline.id,
        same_dataset=run.plan.dataset.digest == baseline.plan.dataset.digest,
        cases=len(pairing.pairs),
        unpaired=(*group_unpaired(run.id, pairing.candidate), *group_unpaired(baseline.id, pairing.baseline)),
        renamed=_renamed(comparisons, pairing),
        changed_metrics=tuple(_changed_metrics(run.plan.suite, baseline.plan.suite, metrics)),
        comparisons=tuple(with_adjusted_p_values(comparisons, run.plan.gated_metrics)),
    )


def _pairing(session: Session, run: Run, baseline: Run, run_scores: RunAggregate) -> CasePairing:
    if run.plan.dataset.digest == baseline.plan.dataset.digest:
        return pair_by_id(run_scores.positions)
    candidate, other = (
        map(CaseIdentity.of, dataset_store.iterate_cases(session, each.plan.dataset.id)) for each in (run, baseline)
    )
    return pair_cases(candidate, other)


def _why_no_case(pairing: CasePairing) -> str:
    """Return why two runs with results share no case."""
    reasons = set(pairing.candidate.values())
    if UnpairedReason.OTHER_EXPECTATION in reasons:
        return "cases of the same variables have another expected output or other checks"
    if UnpairedReason.OTHER_VARIABLES in reasons:
        return "cases of the same id have other variables"
    return "no case of one is a case of the other"


def _renamed(comparisons: Sequence[Comparison], pairing: CasePairing) -> dict[str, str]:
    listed = [case for comparison in comparisons for case in (*comparison.better, *comparison.worse)]
    return {case: pairing.pairs[case] for case in listed if pairing.pairs[case] != case}


def _changed_metrics(suite: SuiteDefinition, other: SuiteDefinition, metrics: Iterable[str]) -> Iterator[str]:
    """Yield the metrics that two suites score in different ways; all of a suite's scorers count for `pass` and `score`."""

    def scorers(definition: SuiteDefinition, metric: str) -> str:
        every = metric in (PASS, SCORE)
        specs = [
            spec for spec in definition["scorers"] if every or metric in (spec.get("name") or spec["type"], spec.get("metric"))
        ]
        return json_identity([specs, definition.get("threshold") if every else None])

    return (metric for metric in metrics if scorers(suite, metric) != scorers(other, metric))


def _metrics(run: Run) -> Sequence[str]:
    return run.summary.metrics if run.summary else ()


def _variant_pairs(run: Run, baseline: Run) -> list[tuple[Variant, Variant]]:
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
