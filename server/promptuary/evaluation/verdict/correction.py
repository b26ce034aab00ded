"""A judge's means and paired differences corrected by labels of people, as far as the labels suffice. Pure.

The unit is a result: one repeat of a case under a variant. Repeats of a case, and cases of a cluster, belong together.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptuary.evaluation.judge_figures import CorrectionFigures
from promptuary.evaluation.judges.draw import CERTAIN, DrawnResult, draw_problem, label_chances
from promptuary.evaluation.judges.labels import LabelDraw, MetricLabels
from promptuary.evaluation.plan import Plan, Variant
from promptuary.evaluation.summary_model import VariantRole
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.evaluation.verdict.aggregate import RunAggregate
from promptuary.evaluation.verdict.comparison import (
    CONFIDENCE_LEVEL,
    MetricScores,
    PairedScores,
    SamplingDesign,
    difference_interval,
    metric_interval,
)
from promptuary.statistics.judges.correction import Correction, JudgedCases, corrected_difference, corrected_mean
from promptuary.statistics.judges.label_sample import MINIMUM_LABELS, LabelDesign, TooFewLabelsError

Unit = tuple[str, int]
"""A case's id and the repeat's number."""


@dataclass(frozen=True)
class Uncorrected:
    """Why a mean or a difference cannot be corrected.

    Attributes:
        reason: for people.
        labels: how many labels there are.
        missing: how many more are needed; None where more labels of the same draw do not help.
    """

    reason: str
    labels: int
    missing: int | None


@dataclass(frozen=True)
class _DrawnUnits:
    """The scored units, those that were drawn, and the smallest chance with which a unit was drawn."""

    units: Sequence[Unit]
    drawn: Mapping[Unit, DrawnResult]
    smallest: float

    @property
    def labels(self) -> int:
        """The number of labels."""
        return sum(result.label is not None for result in self.drawn.values())


class LabelCorrections:
    """Corrects the means of a run's judged metrics.

    Attributes:
        labels: by metric.
    """

    def __init__(self, aggregate: RunAggregate, design: SamplingDesign, labels: Mapping[str, MetricLabels]) -> None:
        """Keep the results of a run, how its cases were sampled, and the labels by metric."""
        self.labels = labels
        self._aggregate = aggregate
        self._design = design
        self._values: dict[tuple[str, str], dict[Unit, float]] = {}

    def mean(self, variant: str, metric: str, level: float = CONFIDENCE_LEVEL) -> Correction | Uncorrected:
        """Correct the mean of a metric under a variant."""
        values, labels = self._of_variant(variant, metric), self.labels.get(metric)
        drawn = [_drawn_of(draw, variant, values) for draw in (labels.draws if labels else ())]
        chosen = max(drawn, key=lambda units: units.labels, default=_DrawnUnits(list(values), {}, CERTAIN))
        checked = _checked(chosen)
        if isinstance(checked, Uncorrected):
            return checked
        scores = JudgedCases([values[unit] for unit in chosen.units], _labels(chosen))
        try:
            return corrected_mean(scores, self._label_design(chosen.units, checked), level=level)
        except TooFewLabelsError as error:
            return Uncorrected(str(error), chosen.labels, error.missing)

    def difference(
        self, candidate: str, baseline: str, metric: str, level: float = CONFIDENCE_LEVEL
    ) -> Correction | Uncorrected:
        """Correct the mean of candidate − baseline on a metric, from outputs of both that are labelled for the same case."""
        first, second = self._of_variant(candidate, metric), self._of_variant(baseline, metric)
        units, labels = [unit for unit in first if unit in second], self.labels.get(metric)
        pairs = [_drawn_pairs(draw, (candidate, baseline), units) for draw in (labels.draws if labels else ())]
        empty = _DrawnUnits(units, {}, CERTAIN)
        both, sides = max(pairs, key=lambda pair: pair[0].labels, default=(empty, (empty, empty)))
        checked = _checked(both)
        if isinstance(checked, Uncorrected):
            return checked
        labelled = {unit for unit, result in both.drawn.items() if result.label is not None}
        own, other = ([side.drawn[unit].label if unit in labelled else None for unit in units] for side in sides)
        try:
            return corrected_difference(
                JudgedCases([first[unit] for unit in units], own),
                JudgedCases([second[unit] for unit in units], other),
                self._label_design(units, checked),
                level=level,
            )
        except TooFewLabelsError as error:
            return Uncorrected(str(error), both.labels, error.missing)

    def figures(self, plan: Plan, scores: Mapping[tuple[str, str], MetricScores]) -> Iterator[CorrectionFigures]:
        """Yield the figures of each judged metric: the mean under each variant, and each comparison of the plan."""
        for metric in (name for name in self.labels if all((variant.name, name) in scores for variant in plan.variants)):
            for variant in plan.variants:
                own = scores[variant.name, metric]
                raw = IntervalFigures.model_validate(metric_interval(own, self._design)) if own.means else None
                yield _figures(metric, (variant.name, None), raw, self.mean(variant.name, metric))
            for candidate, baseline in compared_variants(plan.variants):
                pair = PairedScores(scores[candidate.name, metric].means, scores[baseline.name, metric].means)
                raw = IntervalFigures.model_validate(difference_interval(pair, self._design)) if pair.cases else None
                correction = self.difference(candidate.name, baseline.name, metric)
                yield _figures(metric, (candidate.name, baseline.name), raw, correction)

    def _of_variant(self, variant: str, metric: str) -> dict[Unit, float]:
        key = variant, metric
        if key not in self._values:
            self._values[key] = dict(self._aggregate.variants[variant].unit_values(metric))
        return self._values[key]

    def _label_design(self, units: Sequence[Unit], chances: Sequence[float]) -> LabelDesign:
        weights = self._design.case_weights([case for case, _ in units])
        return LabelDesign(chances, self._clusters(units), weights=weights)

    def _clusters(self, units: Sequence[Unit]) -> list[Hashable] | None:
        """Return what each unit shares with others: the cluster of its case, else the case where it has repeats."""
        clusters = self._design.clusters
        repeated = len({case for case, _ in units}) < len(units)
        named = [clusters.get(case) for case, _ in units]
        if not repeated and not any(named):
            return None
        return [("case", case) if name is None else ("cluster", name) for (case, _), name in zip(units, named, strict=True)]


def compared_variants(variants: Sequence[Variant]) -> Iterator[tuple[Variant, Variant]]:
    """Yield each candidate with each baseline of its model, and with what production answered."""
    for candidate in variants:
        for baseline in variants:
            roles = candidate.role, baseline.role
            if roles == (VariantRole.CANDIDATE, VariantRole.BASELINE) and baseline.model in ("", candidate.model):
                yield candidate, baseline


def _drawn_of(draw: LabelDraw, variant: str, values: Mapping[Unit, float]) -> _DrawnUnits:
    """Return what a draw has of a variant's scored units."""
    drawn = {
        (case, repeat): result
        for (name, case, repeat), result in draw.results.items()
        if name == variant and (case, repeat) in values
    }
    return _DrawnUnits(list(values), drawn, min((result.probability for result in drawn.values()), default=CERTAIN))


def _drawn_pairs(
    draw: LabelDraw, variants: tuple[str, str], units: Sequence[Unit]
) -> tuple[_DrawnUnits, tuple[_DrawnUnits, _DrawnUnits]]:
    """Return the units of which both outputs were drawn, and each side.

    Where the draw has the same units on both sides, the outputs of a case were drawn together; else each was drawn alone.
    """
    scored = dict.fromkeys(units, 0.0)
    first, second = (_drawn_of(draw, variant, scored) for variant in variants)
    together = first.drawn.keys() == second.drawn.keys()
    both: dict[Unit, DrawnResult] = {}
    for unit in units:
        own, other = first.drawn.get(unit), second.drawn.get(unit)
        if own is not None and other is not None:
            chances = own.probability, other.probability
            chance = min(chances) if together else chances[0] * chances[1]
            difference = None if own.label is None or other.label is None else own.label - other.label
            in_random_order = own.in_random_order and other.in_random_order
            both[unit] = DrawnResult(chance, difference, own.waiting or other.waiting, in_random_order)
    smallest = min(first.smallest, second.smallest) if together else first.smallest * second.smallest
    return _DrawnUnits(units, both, smallest), (first, second)


def _labels(drawn: _DrawnUnits) -> list[float | None]:
    return [None if (result := drawn.drawn.get(unit)) is None else result.label for unit in drawn.units]


def _checked(drawn: _DrawnUnits) -> list[float] | Uncorrected:
    """Return the chance of each unit to be labelled, or why the labels do not suffice."""
    labels, results = drawn.labels, drawn.drawn.values()
    if labels < MINIMUM_LABELS:
        reason = f"{labels} outputs are labelled and {MINIMUM_LABELS} are needed"
        return Uncorrected(reason, labels, MINIMUM_LABELS - labels)
    problem = draw_problem(len(drawn.units), results, MINIMUM_LABELS)
    if problem is not None:
        return Uncorrected(problem.reason, labels, problem.missing)
    chances = label_chances(results)
    return [
        drawn.smallest if (result := drawn.drawn.get(unit)) is None else chances[result.probability] for unit in drawn.units
    ]


def _figures(
    metric: str, variants: tuple[str, str | None], raw: IntervalFigures | None, correction: Correction | Uncorrected
) -> CorrectionFigures:
    variant, baseline = variants
    if isinstance(correction, Uncorrected):
        return CorrectionFigures(
            metric=metric,
            variant=variant,
            baseline=baseline,
            raw=raw,
            labels=correction.labels,
            missing=correction.missing,
            reason=correction.reason,
        )
    return CorrectionFigures(
        metric=metric,
        variant=variant,
        baseline=baseline,
        raw=raw,
        corrected=IntervalFigures.model_validate(correction.interval),
        tuning=correction.tuning,
        labels=correction.labels,
        effective_labels=correction.effective_labels,
        labels_to_halve=correction.labels_to_halve,
    )
