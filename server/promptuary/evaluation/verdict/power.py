"""Before a run: the smallest effect that it would show, and what more cases or more repeats would buy. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.suites.gate_spec import GateSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import GateKind
from promptuary.evaluation.verdict.comparison import CONFIDENCE_LEVEL, CaseClusters, PairedScores, metric_value
from promptuary.statistics.mean import known_mean, repeat_means
from promptuary.statistics.power import (
    StudyDesign,
    VarianceComponents,
    cases_needed,
    design_points,
    detectable_effect,
    estimate_variance_components,
)
from promptuary.statistics.sample import ClusteredSample, NoSpreadError
from promptuary.statistics.weighted import is_even
from promptuary.statistics.weighted_sample import kish_number

DEFAULT_EFFECT = 0.05
ASSUMED_SHARE = 0.25
"""The largest variance of a share, assumed for a floor without a pilot run."""
ASSUMED_DISAGREEMENT = 0.3
"""The share of cases on which versions of one prompt differ, assumed for a difference without a pilot run."""
SIZE_FACTORS = (0.5, 1, 2, 4)
REPEAT_CHOICES = (1, 2, 3, 5)


@dataclass(frozen=True)
class PilotRun:
    """An earlier run, from which the spread, the cost and the duration of the next one are estimated.

    Attributes:
        run: its id.
        results: of the candidate under one model.
        baseline: of the baseline under the same model; empty where there was none.
        clusters: the cluster of each case.
        seconds: of wall time for one result, with the run's concurrency; None where it is not known.
    """

    run: str
    results: Sequence[CaseResult]
    baseline: Sequence[CaseResult]
    clusters: CaseClusters
    seconds: float | None

    @property
    def cost(self) -> float | None:
        """The mean cost of a result in US dollars; None where no price is known."""
        return known_mean(result.cost for result in (*self.results, *self.baseline))


@dataclass(frozen=True)
class DatasetSize:
    """How many cases a dataset has.

    Attributes:
        cases: their number.
        effective: the number of equally weighted cases with the same information; None where all weigh the same.
    """

    cases: int
    effective: float | None = None

    @classmethod
    def of_weights(cls, cases: int, weights: Mapping[str, float]) -> Self:
        """Return the size of a dataset in which some cases have a weight, and the others weigh 1."""
        every = [*weights.values(), *([1.0] * (cases - len(weights)))]
        return cls(cases, kish_number(np.asarray(every)) if weights and not is_even(every) else None)

    @property
    def weight_effect(self) -> float:
        """The factor by which weights widen the variance of a mean, at least 1."""
        return 1.0 if self.effective is None else max(1.0, self.cases / self.effective)


@dataclass(frozen=True)
class RunSize:
    """A possible size of the next run.

    Attributes:
        cases: the number of cases.
        repeats: of each case.
        effect: the smallest effect that a run of this size shows.
        results: the number of results of all variants.
        cost: in US dollars; None where it is not known.
        seconds: of wall time; None where it is not known.
    """

    cases: int
    repeats: int
    effect: float
    results: int
    cost: float | None
    seconds: float | None


@dataclass(frozen=True)
class DemandPower:
    """The power of the next run for one demand of the gate.

    Attributes:
        metric: the metric's name.
        kind: what the demand requires.
        label: the baseline's label; None for a floor.
        effect: the smallest effect that matters.
        spread: the variance components of the difference, or of the score for a floor.
        design_effect: the factor by which clusters and weights widen the variance, ≥ 1. Kish's product of both: the effect of
            the clusters times the number of cases by their effective number (Survey Sampling, 1965, §11.7).
        source: `pilot` where a pilot run gave the spread, else `assumed`.
        detectable: the smallest effect that the suite as it is would show.
        cases_needed: the number of cases that shows `effect`.
        table: other sizes.
    """

    metric: str
    kind: GateKind
    label: str | None
    effect: float
    spread: VarianceComponents
    design_effect: float
    source: str
    detectable: float
    cases_needed: int
    table: tuple[RunSize, ...]


@dataclass(frozen=True)
class RunProjection:
    """What a suite's next run would show, cost and take.

    Attributes:
        suite: the suite's name.
        cases: of its dataset.
        effective: of cases with different weights, the number of equally weighted ones with the same information; else None.
        repeats: of each case.
        variants: the number of variants that every case goes through.
        power: the probability of showing an effect that exists.
        level: the two-sided confidence level.
        pilot: the pilot run's id; None without one.
        demands: one for each demand of the gate that an interval decides.
        results: the number of results.
        cost: in US dollars; None where it is not known.
        seconds: of wall time; None where it is not known.
    """

    suite: str
    cases: int
    effective: float | None
    repeats: int
    variants: int
    power: float
    level: float
    pilot: str | None
    demands: tuple[DemandPower, ...]
    results: int
    cost: float | None
    seconds: float | None


@dataclass(frozen=True)
class ProjectionOptions:
    """The options of a projection.

    Attributes:
        effect: the smallest effect that matters; None for the gate's margin, else 0.05.
        power: the probability of showing that effect where it exists, in (0, 1).
    """

    effect: float | None = None
    power: float = 0.8


def compute_power_plan(
    suite: Suite, dataset: DatasetSize, variants: int, pilot: PilotRun | None, options: ProjectionOptions
) -> RunProjection:
    """Compute, for each demand of the gate, the effect that the suite as it is would show, and a table of other sizes.

    Args:
        suite: as it would be run; one without a gate is projected on its score.
        dataset: the number of its cases.
        variants: the number of variants: versions and baselines times models.
        pilot: an earlier run; without one the spread is assumed, which `source` reports.
        options: the effect and the power.
    """
    demands = [demand for demand in suite.gate if not demand.every] or [GateSpec(metric="score", at_least=0.0)]
    results = dataset.cases * suite.repeats * variants
    cost, seconds = _effort(pilot, results)
    return RunProjection(
        suite=suite.name,
        cases=dataset.cases,
        effective=dataset.effective,
        repeats=suite.repeats,
        variants=variants,
        power=options.power,
        level=CONFIDENCE_LEVEL,
        pilot=pilot.run if pilot else None,
        demands=tuple(_demand_power(demand, suite, (dataset, variants), pilot, options) for demand in demands),
        results=results,
        cost=cost,
        seconds=seconds,
    )


def _demand_power(
    demand: GateSpec, suite: Suite, size: tuple[DatasetSize, int], pilot: PilotRun | None, options: ProjectionOptions
) -> DemandPower:
    dataset, variants = size
    cases = dataset.cases
    effect = options.effect if options.effect is not None else demand.by or DEFAULT_EFFECT
    spread, cluster_effect, source = _spread(demand, pilot)
    design_effect = cluster_effect * dataset.weight_effect
    design = StudyDesign(repeats=suite.repeats, level=CONFIDENCE_LEVEL, power=options.power, design_effect=design_effect)
    points = design_points(
        spread,
        design,
        cases=sorted({max(2, round(cases * factor)) for factor in SIZE_FACTORS}),
        repeats=sorted({*REPEAT_CHOICES, suite.repeats}),
    )
    return DemandPower(
        metric=demand.metric,
        kind=GateKind.AT_LEAST if demand.at_least is not None else GateKind.NOT_WORSE_THAN,
        label=demand.not_worse_than,
        effect=effect,
        spread=spread,
        design_effect=design_effect,
        source=source,
        detectable=detectable_effect(max(1, cases), spread, design),
        cases_needed=cases_needed(effect, spread, design),
        table=tuple(
            RunSize(point.cases, point.repeats, point.effect, results, *_effort(pilot, results))
            for point in points
            for results in [point.cases * point.repeats * variants]
        ),
    )


def _effort(pilot: PilotRun | None, results: int) -> tuple[float | None, float | None]:
    """Return the cost in US dollars and the seconds of a number of results, as far as the pilot run knows them."""
    cost, seconds = (pilot.cost, pilot.seconds) if pilot else (None, None)
    return None if cost is None else cost * results, None if seconds is None else seconds * results


def _spread(demand: GateSpec, pilot: PilotRun | None) -> tuple[VarianceComponents, float, str]:
    """Return the variance components of a demand's difference, its design effect, and the source of both."""
    paired = demand.not_worse_than is not None
    if pilot is not None and (estimate := _pilot_spread(pilot, demand.metric, paired=paired)) is not None:
        return *estimate, "pilot"
    return VarianceComponents(ASSUMED_DISAGREEMENT if paired else ASSUMED_SHARE, 0.0, 0.0), 1.0, "assumed"


def _pilot_spread(pilot: PilotRun, metric: str, *, paired: bool) -> tuple[VarianceComponents, float] | None:
    candidate, baseline = _repeats(pilot.results, metric), _repeats(pilot.baseline, metric)
    if not paired:
        baseline = {case: [0.0] for case in candidate}
    pair = PairedScores(repeat_means(candidate), repeat_means(baseline))
    if len(pair.cases) < 2:
        return None
    spread = estimate_variance_components([candidate[case] for case in pair.cases], [baseline[case] for case in pair.cases])
    if spread.per_case() <= 0:
        return None
    clusters = [pilot.clusters.get(case) for case in pair.cases]
    return spread, _design_effect(list(pair.differences.values()), clusters)


def _design_effect(values: Sequence[float], clusters: Sequence[str | None]) -> float:
    """Return the factor by which clusters widen the variance of the mean: cluster-robust over independent, at least 1."""
    if all(cluster is None for cluster in clusters):
        return 1.0
    try:
        robust, independent = ClusteredSample.of(values, clusters).error(), ClusteredSample.of(values, None).error()
    except NoSpreadError:
        return 1.0
    return max(1.0, (robust / independent) ** 2) if independent > 0 else 1.0


def _repeats(results: Sequence[CaseResult], metric: str) -> Mapping[str, list[float]]:
    """Return the known scores of each case, in the order of its repeats."""
    scores: dict[str, list[float]] = {}
    for result in results:
        value = metric_value(result, metric)
        if value is not None:
            scores.setdefault(result.case, []).append(value)
    return scores
