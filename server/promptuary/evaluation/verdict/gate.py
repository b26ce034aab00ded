"""Where a gate is decided: `judge_gate` judges every check of a suite's gate on every candidate. Pure.

A gate passes only if every check passes, so a pass is claimed at the unadjusted 95 % level. One check is enough for a
regression, so among several checks regressions are claimed by Holm's step-down procedure, which limits the probability of any
false alarm to that of one check.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptuary.evaluation.plan import Plan, Variant
from promptuary.evaluation.suites.gate_spec import GateSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import GateKind, GateResult, IntervalFigures, VariantRole
from promptuary.evaluation.verdict.comparison import (
    CONFIDENCE_LEVEL,
    MetricScores,
    PairedScores,
    SamplingDesign,
    difference_interval,
    metric_interval,
)
from promptuary.evaluation.verdict.correction import LabelCorrections, Uncorrected
from promptuary.evaluation.verdict.judge_demand import unmet_judge_demand
from promptuary.statistics.interval import Interval
from promptuary.statistics.judges.correction import Correction
from promptuary.statistics.paired import holm_step_down
from promptuary.statistics.verdict import Verdict, floor_verdict, non_inferiority_verdict, worst_verdict

ScoreTable = Mapping[tuple[str, str], MetricScores]
"""The scores by the variant's name and the metric's name."""


@dataclass(frozen=True)
class GateCheck:
    """One check of the gate on one candidate.

    Attributes:
        spec: of the suite's gate.
        candidate: the variant that is judged.
        baseline: the variant that it is compared with, if any.
    """

    spec: GateSpec
    candidate: Variant
    baseline: Variant | None

    @property
    def kind(self) -> GateKind:
        """What the check requires."""
        if self.spec.every:
            return GateKind.EVERY
        return GateKind.AT_LEAST if self.spec.at_least is not None else GateKind.NOT_WORSE_THAN

    @property
    def bound(self) -> float:
        """The value that the interval is compared with."""
        if self.spec.every:
            return 1.0
        return self.spec.at_least if self.spec.at_least is not None else -(self.spec.by or 0.0)


@dataclass(frozen=True)
class SettledCheck(GateCheck):
    """A check that needs no interval: its verdict, the sentence with the reason, and how many labels of people are missing."""

    verdict: Verdict
    sentence: str
    missing_labels: int | None = None


@dataclass(frozen=True)
class IntervalCheck(GateCheck):
    """A check that an interval decides.

    Attributes:
        interval_at: computes the interval at a confidence level.
        unpaired: the number of cases with a score on one side only; 0 for a check without a baseline.
        correction: of the interval by labels of people; None for a check on the scores alone.
    """

    interval_at: Callable[[float], Interval]
    unpaired: int = 0
    correction: Correction | None = None

    @property
    def further_labels(self) -> int | None:
        """How many more labels would show on which side of the bound the estimate lies; None where labels do not decide."""
        if self.correction is None:
            return None
        return self.correction.further_labels(abs(self.correction.interval.estimate - self.bound))

    def verdict_at(self, level: float) -> Verdict:
        """Judge the check at a confidence level."""
        interval = self.interval_at(level)
        if self.spec.at_least is not None:
            return floor_verdict(interval, self.spec.at_least)
        return non_inferiority_verdict(interval, self.spec.by or 0.0)


def judge_gate(
    plan: Plan, suite: Suite, scores: ScoreTable, design: SamplingDesign, corrections: LabelCorrections | None = None
) -> list[GateResult]:
    """Judge a suite's gate.

    Args:
        plan: of the run.
        suite: whose gate it is.
        scores: of every variant on every metric that the gate names.
        design: how the cases were sampled.
        corrections: of judged metrics by labels of people; a suite without demands on these needs none.

    Returns:
        One result for each check and candidate, in the gate's order.
    """
    checks = [_with_labels(check, corrections) for check in _build_checks(plan, suite, scores, design)]
    interval_checks = [check for check in checks if isinstance(check, IntervalCheck)]

    def is_regression(index: int, level: float) -> bool:
        return interval_checks[index].verdict_at(level) is Verdict.REGRESSION

    rejected = holm_step_down(is_regression, len(interval_checks), CONFIDENCE_LEVEL)
    regressions = {id(interval_checks[index]) for index in rejected}
    return [
        _gate_result(check, None, check.verdict, check.sentence, check.missing_labels)
        if isinstance(check, SettledCheck)
        else _judge(check, proven_regression=id(check) in regressions)
        for check in checks
    ]


def verdict_of(gates: Sequence[GateResult]) -> Verdict:
    """Return the verdict of a gate's results: the worst of them, or *no gate* if there are none.

    A suite without a gate requires nothing, so nothing can fail, and nothing is met. A promotion needs evidence whose gates are
    not empty.
    """
    return worst_verdict(gate.verdict for gate in gates) if gates else Verdict.NO_GATE


def _build_checks(
    plan: Plan, suite: Suite, scores: ScoreTable, design: SamplingDesign
) -> Iterator[SettledCheck | IntervalCheck]:
    candidates = [variant for variant in plan.variants if variant.role is VariantRole.CANDIDATE]
    for spec in suite.gate:
        for candidate in candidates:
            own = scores[candidate.name, spec.metric]
            if spec.every:
                yield _check_every_case(spec, candidate, own)
            elif spec.at_least is not None:
                yield _check_floor(spec, candidate, own, design)
            else:
                yield _check_against_baseline(spec, candidate, plan, scores, design)


def _with_labels(check: SettledCheck | IntervalCheck, corrections: LabelCorrections | None) -> SettledCheck | IntervalCheck:
    """Return a check as labels of people decide it, where its demand needs them."""
    spec = check.spec
    if not spec.needs_labels or isinstance(check, SettledCheck) or corrections is None:
        return check

    def inconclusive(reason: str, missing: int | None) -> SettledCheck:
        subject = f"{spec.metric} of {check.candidate.name}" + (f" minus {check.baseline.name}" if check.baseline else "")
        sentence = f"{subject} is not decided: {reason}"
        return SettledCheck(spec, check.candidate, check.baseline, Verdict.INCONCLUSIVE, sentence, missing)

    unmet = unmet_judge_demand(corrections.labels[spec.metric].judge, spec.judge)
    if unmet is not None:
        return inconclusive(unmet.reason, unmet.missing)
    if not spec.corrected:
        return check

    def corrected_at(level: float) -> Correction | Uncorrected:
        if check.baseline is None:
            return corrections.mean(check.candidate.name, spec.metric, level)
        return corrections.difference(check.candidate.name, check.baseline.name, spec.metric, level)

    def interval_at(level: float) -> Interval:
        correction = corrected_at(level)
        assert isinstance(correction, Correction)  # as at the level below
        return correction.interval

    correction = corrected_at(CONFIDENCE_LEVEL)
    if isinstance(correction, Uncorrected):
        missing = "" if correction.missing is None else f"; {correction.missing} labels are missing"
        return inconclusive(f"{correction.reason}{missing}", correction.missing)
    return IntervalCheck(spec, check.candidate, check.baseline, interval_at, check.unpaired, correction)


def _check_every_case(spec: GateSpec, candidate: Variant, scores: MetricScores) -> SettledCheck:
    """Count the cases below the full score: the check is on these cases alone, so no interval is needed."""
    if not scores.means:
        return _unscored(spec, candidate)
    subject, total = f"{spec.metric} of {candidate.name}", len(scores.means)
    short = [case for case, mean in scores.means.items() if mean < 1]
    if not short:
        return SettledCheck(spec, candidate, None, Verdict.PASS, f"{subject} is 1 in all {total} cases")
    examples = f"'{short[0]}'" + (f" and {len(short) - 1} more" if len(short) > 1 else "")
    sentence = f"{subject} is below 1 in {len(short)} of {total} cases: {examples}"
    return SettledCheck(spec, candidate, None, Verdict.REGRESSION, sentence)


def _check_floor(
    spec: GateSpec, candidate: Variant, scores: MetricScores, design: SamplingDesign
) -> SettledCheck | IntervalCheck:
    if not scores.means:
        return _unscored(spec, candidate)
    return IntervalCheck(spec, candidate, None, lambda level: metric_interval(scores, design, level))


def _check_against_baseline(
    spec: GateSpec, candidate: Variant, plan: Plan, scores: ScoreTable, design: SamplingDesign
) -> SettledCheck | IntervalCheck:
    label = spec.not_worse_than or ""
    baseline = _find_baseline(plan.variants, label, candidate.model)
    if label in plan.missing or baseline is None:
        reason = f"no version has the label '{label}', so there is nothing to compare {candidate.name} with"
        return SettledCheck(spec, candidate, None, Verdict.INCONCLUSIVE, reason)
    if baseline == candidate:
        reason = f"'{label}' has the same content as {candidate.name}, which is not worse than itself"
        return SettledCheck(spec, candidate, baseline, Verdict.PASS, reason)
    pair = PairedScores(scores[candidate.name, spec.metric].means, scores[baseline.name, spec.metric].means)
    if not pair.cases:
        return _unscored(spec, candidate, baseline)
    return IntervalCheck(spec, candidate, baseline, lambda level: difference_interval(pair, design, level), pair.unpaired)


def _find_baseline(variants: Sequence[Variant], label: str, model: str) -> Variant | None:
    named = [variant for variant in variants if label in variant.references and variant.model in ("", model)]
    return next((variant for variant in named if variant.is_recorded), next(iter(named), None))


def _unscored(spec: GateSpec, candidate: Variant, baseline: Variant | None = None) -> SettledCheck:
    reason = f"no case has a score for '{spec.metric}'" + (" on both sides" if baseline else "")
    return SettledCheck(spec, candidate, baseline, Verdict.INFRASTRUCTURE, reason)


def _judge(check: IntervalCheck, *, proven_regression: bool) -> GateResult:
    """Judge one check at the unadjusted 95 % level; a regression counts only where the step-down procedure shows it."""
    interval, verdict = check.interval_at(CONFIDENCE_LEVEL), check.verdict_at(CONFIDENCE_LEVEL)
    reason, missing = _reason(check, verdict, proven_regression=proven_regression), None
    if verdict is Verdict.INCONCLUSIVE and check.correction is not None:
        missing = check.further_labels
    if verdict is Verdict.REGRESSION and not proven_regression:
        verdict = Verdict.INCONCLUSIVE
    difference = f" minus {check.baseline.name}" if check.baseline else ""
    low, high = _format(interval.low), _format(interval.high)
    figures = f"{_format(interval.estimate)}, {CONFIDENCE_LEVEL:.0%} interval {low} to {high}"
    subject = f"{check.spec.metric} of {check.candidate.name}{difference}"
    unpaired = f" ({check.unpaired} more have a score on one side only)" if check.unpaired else ""
    corrected = f", corrected by {check.correction.labels} labels" if check.correction else ""
    weighted = "" if interval.effective is None else f", weighted, as {interval.effective:.0f} of equal weight"
    sentence = f"{subject} is {figures} over {interval.n} cases{unpaired}{weighted}{corrected}; {reason}"
    return _gate_result(check, IntervalFigures.model_validate(interval), verdict, sentence, missing)


def _reason(check: IntervalCheck, verdict: Verdict, *, proven_regression: bool) -> str:
    bound = _format(check.bound)
    if verdict is Verdict.PASS:
        return f"the lower bound {'reaches' if check.kind is GateKind.AT_LEAST else 'stays above'} {bound}"
    if verdict is Verdict.INCONCLUSIVE and check.correction is not None:
        further = check.further_labels
        remedy = f"about {further} more labels would decide it" if further else "only more cases with labels would narrow it"
        return f"the interval contains {bound}; {remedy}"
    if verdict is Verdict.INCONCLUSIVE:
        return f"the interval contains {bound}; more cases or repeats would narrow it"
    if proven_regression:
        return f"the upper bound is below {bound}"
    return f"the upper bound is below {bound}, but not by enough for one of several checks"


def _gate_result(
    check: GateCheck, interval: IntervalFigures | None, verdict: Verdict, sentence: str, missing_labels: int | None
) -> GateResult:
    return GateResult(
        metric=check.spec.metric,
        kind=check.kind,
        bound=check.bound,
        label=check.spec.not_worse_than,
        model=check.candidate.model,
        candidate=check.candidate.name,
        baseline=check.baseline.name if check.baseline else None,
        interval=interval,
        verdict=verdict,
        sentence=sentence,
        corrected=isinstance(check, IntervalCheck) and check.correction is not None,
        missing_labels=missing_labels,
    )


def _format(value: float) -> str:
    """Return a figure with three decimals and a true minus sign."""
    return f"{value:.3f}".replace("-", "−")
