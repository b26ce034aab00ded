"""Before a run: how small an effect it would show, and what more cases or more repeats would buy. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.suites.suite import GateSpec, Suite
from promptuary.evaluation.verdict.comparison import CONFIDENCE_LEVEL, CaseClusters, metric_value
from promptuary.statistics.mean import repeat_means
from promptuary.statistics.power import (
    VarianceComponents,
    cases_needed,
    design_points,
    detectable_effect,
    estimate_variance_components,
)
from promptuary.statistics.sample import ClusteredSample, NoSpreadError

DEFAULT_EFFECT = 0.05
ASSUMED_SHARE = 0.25  # the largest variance of a share
ASSUMED_DISAGREEMENT = 0.3  # of the cases, where versions of one prompt differ
SIZE_FACTORS = (0.5, 1, 2, 4)
REPEAT_CHOICES = (1, 2, 3, 5)


@dataclass(frozen=True)
class PilotRun:
    """What an earlier run tells about the next: its scores, what a result cost and how long it took.

    Attributes:
        run: its id.
        results: of the candidate and, where there was one, of the baseline, under one model.
        baseline: the results of the baseline; empty where there was none.
        clusters: the cluster of each case.
        seconds: for one result, on the clock, with the run's concurrency.
    """

    run: str
    results: Sequence[CaseResult]
    baseline: Sequence[CaseResult]
    clusters: CaseClusters
    seconds: float | None


def compute_power_plan(
    suite: Suite, cases: int, variants: int, pilot: PilotRun | None, effect: float | None, power: float
) -> dict[str, Any]:
    """Give, for each demand of the gate, the effect that the suite as it is would show, and a table of other sizes.

    Args:
        suite: as it would be run.
        cases: of its dataset.
        variants: that every case goes through: versions and baselines times models.
        pilot: an earlier run; without one the spread is assumed, and the answer says so.
        effect: the smallest difference that matters; by default the gate's margin, else 0.05.
        power: the chance of showing that effect where it is there.
    """
    cost = _mean([result.cost for result in (*pilot.results, *pilot.baseline)]) if pilot else None
    sizes = sorted({max(2, round(cases * step)) for step in SIZE_FACTORS})
    repeats = sorted({*REPEAT_CHOICES, suite.repeats})

    def priced(results: int) -> dict[str, Any]:
        return {
            "results": results,
            "cost": None if cost is None else cost * results,
            "seconds": None if pilot is None or pilot.seconds is None else pilot.seconds * results,
        }

    demands = []
    for gate in [gate for gate in suite.gate if not gate.every] or [GateSpec(metric="score", at_least=0.0)]:
        wanted = effect if effect is not None else gate.by or DEFAULT_EFFECT
        spread, design, source = _spread(gate, pilot)
        common: dict[str, Any] = {"power": power, "level": CONFIDENCE_LEVEL, "design_effect": design}
        demands.append(
            {
                "metric": gate.metric,
                "kind": "at_least" if gate.at_least is not None else "not_worse_than",
                "label": gate.not_worse_than,
                "effect": wanted,
                "spread": {"between": spread.between, "candidate": spread.candidate, "baseline": spread.baseline},
                "design_effect": design,
                "source": source,
                "detectable": detectable_effect(max(1, cases), spread, repeats=suite.repeats, **common),
                "cases_needed": cases_needed(wanted, spread, repeats=suite.repeats, **common),
                "table": [
                    {"cases": one.cases, "repeats": one.repeats, "effect": one.effect}
                    | priced(one.cases * one.repeats * variants)
                    for one in design_points(spread, cases=sizes, repeats=repeats, **common)
                ],
            }
        )
    return {
        "suite": suite.name,
        "cases": cases,
        "repeats": suite.repeats,
        "variants": variants,
        "power": power,
        "level": CONFIDENCE_LEVEL,
        "pilot": pilot.run if pilot else None,
        "demands": demands,
    } | priced(cases * suite.repeats * variants)


def _spread(gate: GateSpec, pilot: PilotRun | None) -> tuple[VarianceComponents, float, str]:
    """Give the spread of a demand's difference, its design effect, and where both come from."""
    against = gate.not_worse_than is not None
    if pilot is not None:
        ours, theirs = _repeats(pilot.results, gate.metric), _repeats(pilot.baseline, gate.metric)
        shared = [case for case in ours if not against or case in theirs]
        if len(shared) >= 2 and (theirs or not against):
            other = [theirs[case] for case in shared] if against else [[0.0]] * len(shared)
            spread = estimate_variance_components([ours[case] for case in shared], other)
            if spread.per_case() > 0:
                our_means, their_means = repeat_means(ours), repeat_means(theirs) if against else {}
                means = [our_means[case] - their_means.get(case, 0.0) for case in shared]
                return spread, _design(means, [pilot.clusters.get(case) for case in shared]), "pilot"
    return VarianceComponents(ASSUMED_DISAGREEMENT if against else ASSUMED_SHARE, 0.0, 0.0), 1.0, "assumed"


def _design(values: Sequence[float], clusters: Sequence[str | None]) -> float:
    """By how much clusters widen the variance of the mean: cluster-robust over independent, at least 1."""
    if all(cluster is None for cluster in clusters):
        return 1.0
    try:
        robust, alone = ClusteredSample.of(values, clusters).error(), ClusteredSample.of(values, None).error()
    except NoSpreadError:
        return 1.0
    return max(1.0, (robust / alone) ** 2) if alone > 0 else 1.0


def _repeats(results: Sequence[CaseResult], metric: str) -> Mapping[str, list[float]]:
    """Give the known scores of each case, in the order of its repeats."""
    found: dict[str, list[float]] = {}
    for result in results:
        value = metric_value(result, metric)
        if value is not None:
            found.setdefault(result.case, []).append(value)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
