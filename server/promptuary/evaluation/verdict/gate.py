"""A gate's demands, judged: by intervals, several at once, and with a sentence for each. Pure.

Every check must pass for the gate to pass, so a pass is claimed at the plain level. A regression is claimed by any one check,
so among several they are claimed by Holm's step-down, which holds the chance of any false alarm at the level's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from promptuary.evaluation.plan import Plan, Variant, VariantRole
from promptuary.evaluation.suites.suite import GateSpec, Suite
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import (
    CONFIDENCE_LEVEL,
    CaseClusters,
    MetricScores,
    difference_interval,
    metric_interval,
)
from promptuary.statistics.interval import Interval
from promptuary.statistics.paired import holm_step_down
from promptuary.statistics.verdict import Verdict, floor_verdict, non_inferiority_verdict


@dataclass(frozen=True)
class GateCheck:
    """One demand of the gate on one model, with all it takes to judge it at a level.

    `interval_at` is None where there is nothing to judge; then `settled` says how it ends.
    """

    gate: GateSpec
    model: str
    candidate: str
    baseline: str | None
    interval_at: Callable[[float], Interval] | None
    settled: tuple[Verdict, str] | None = None

    def judged(self, level: float) -> Verdict:
        """Judge at a confidence level."""
        assert self.interval_at is not None
        interval = self.interval_at(level)
        if self.gate.at_least is not None:
            return floor_verdict(interval, self.gate.at_least)
        return non_inferiority_verdict(interval, self.gate.by or 0.0)


def build_checks(
    plan: Plan,
    suite: Suite,
    clusters: CaseClusters,
    scores: Mapping[tuple[str, str], MetricScores],
    order: CaseOrder | None = None,
) -> list[GateCheck]:
    """Give every demand of the suite's gate on every candidate.

    Args:
        plan: of the run.
        suite: whose gate it is.
        clusters: the cluster of each case.
        scores: by variant and metric.
        order: of a run that may stop early; then the intervals are valid at every look.
    """
    return [
        _every(gate, candidate, scores[candidate.name, gate.metric])
        if gate.every
        else _floor(gate, candidate, scores[candidate.name, gate.metric], clusters, order)
        if gate.at_least is not None
        else _against(gate, candidate, plan, scores, clusters, order)
        for gate in suite.gate
        for candidate in plan.variants
        if candidate.role is VariantRole.CANDIDATE
    ]


def _every(gate: GateSpec, candidate: Variant, scores: MetricScores) -> GateCheck:
    """Count: a demand on these very cases is met or not, and nothing is inferred from them."""
    if not scores.means:
        return _unscored(gate, candidate, None)
    short = [case for case, mean in scores.means.items() if mean < 1]
    if not short:
        verdict, why = Verdict.PASS, f"{gate.metric} of {candidate.name} is 1 in all {len(scores.means)} cases"
    else:
        first = f"'{short[0]}'" + (f" and {len(short) - 1} more" if len(short) > 1 else "")
        verdict, why = (
            Verdict.REGRESSION,
            f"{gate.metric} of {candidate.name} is below 1 in {len(short)} of {len(scores.means)} cases: {first}",
        )
    return GateCheck(gate, candidate.model, candidate.name, None, None, (verdict, why))


def _floor(
    gate: GateSpec, candidate: Variant, scores: MetricScores, clusters: CaseClusters, order: CaseOrder | None
) -> GateCheck:
    if not scores.means:
        return _unscored(gate, candidate, None)
    return GateCheck(gate, candidate.model, candidate.name, None, lambda level: metric_interval(scores, clusters, level, order))


def _against(
    gate: GateSpec,
    candidate: Variant,
    plan: Plan,
    scores: Mapping[tuple[str, str], MetricScores],
    clusters: CaseClusters,
    order: CaseOrder | None,
) -> GateCheck:
    label = gate.not_worse_than or ""
    baseline = next((one for one in plan.variants if label in one.references and one.model == candidate.model), None)
    if label in plan.missing or baseline is None:
        reason = f"no version carries the label '{label}', so there is nothing that {candidate.name} could be compared with"
        return GateCheck(gate, candidate.model, candidate.name, None, None, (Verdict.INCONCLUSIVE, reason))
    if baseline == candidate:
        reason = f"'{label}' has the same content as {candidate.name}, which is not worse than itself"
        return GateCheck(gate, candidate.model, candidate.name, baseline.name, None, (Verdict.PASS, reason))
    ours, theirs = scores[candidate.name, gate.metric], scores[baseline.name, gate.metric]
    shared = [case for case in ours.means if case in theirs.means]
    if not shared:
        return _unscored(gate, candidate, baseline)
    return GateCheck(
        gate,
        candidate.model,
        candidate.name,
        baseline.name,
        lambda level: difference_interval(shared, ours, theirs, clusters, level, order),
    )


def _unscored(gate: GateSpec, candidate: Variant, baseline: Variant | None) -> GateCheck:
    reason = f"no case has a score for '{gate.metric}'" + (" on both sides" if baseline else "")
    name = baseline.name if baseline else None
    return GateCheck(gate, candidate.model, candidate.name, name, None, (Verdict.INFRASTRUCTURE, reason))


def judge_gate(checks: Sequence[GateCheck]) -> list[dict[str, Any]]:
    """Judge all checks together; gives one JSON object each, with interval, verdict and sentence."""
    open_checks = [check for check in checks if check.interval_at is not None]

    def regressed(number: int, level: float) -> bool:
        return open_checks[number].judged(level) is Verdict.REGRESSION

    shown = holm_step_down(regressed, len(open_checks), CONFIDENCE_LEVEL)
    regressions = [check for number, check in enumerate(open_checks) if number in shown]
    return [_gate(check, any(check is one for one in regressions)) for check in checks]


def _gate(check: GateCheck, regression: bool) -> dict[str, Any]:
    gate = check.gate
    floor = gate.at_least is not None
    bound = gate.at_least if gate.at_least is not None else -(gate.by or 0.0)
    answer = {
        "metric": gate.metric,
        "kind": "every" if gate.every else "at_least" if floor else "not_worse_than",
        "bound": 1.0 if gate.every else bound,
        "label": gate.not_worse_than,
        "model": check.model,
        "candidate": check.candidate,
        "baseline": check.baseline,
    }
    if check.interval_at is None:
        assert check.settled is not None
        verdict, why = check.settled
        return answer | {"interval": None, "verdict": verdict.value, "sentence": why}
    interval, verdict, against = check.interval_at(CONFIDENCE_LEVEL), check.judged(CONFIDENCE_LEVEL), _number(bound)
    if verdict is Verdict.PASS:
        why = f"the lower bound {'reaches' if floor else 'stays above'} {against}"
    elif verdict is Verdict.INCONCLUSIVE:
        why = f"the interval holds {against}; more cases or repeats would narrow it"
    elif regression:
        why = f"the upper bound is below {against}"
    else:
        verdict = Verdict.INCONCLUSIVE
        why = f"the upper bound is below {against}, but not by enough for one of several checks"
    what = f"{gate.metric} of {check.candidate}" + ("" if floor else f" minus {check.baseline}")
    figures = (
        f"{_number(interval.estimate)}, {CONFIDENCE_LEVEL:.0%} interval {_number(interval.low)} to {_number(interval.high)}"
    )
    sentence = f"{what} is {figures} over {interval.n} cases; {why}"
    return answer | {"interval": asdict(interval), "verdict": verdict.value, "sentence": sentence}


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
