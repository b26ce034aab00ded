"""A judge's mean score, corrected by human labels of randomly drawn cases: prediction-powered inference."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.agreement import Agreement, DistanceMetric, krippendorff_alpha
from promptuary.statistics.interval import Interval
from promptuary.statistics.judges.jackknife import ClusterSums
from promptuary.statistics.judges.label_sample import LabelDesign, LabelSample
from promptuary.statistics.mean import exact_mean
from promptuary.statistics.mean_interval import SCARCE, is_rare, wilson_interval
from promptuary.statistics.sample import UNIT_RANGE, Floats, ScoreRange, all_within, checked_range, finite_array
from promptuary.statistics.weighted import difference_bounds, weighted_difference, weighted_mean
from promptuary.statistics.weighted_sample import WeightedSample

_LABELS_TOLERANCE = 0.25
"""The precision of a predicted number of labels."""


@dataclass(frozen=True, eq=False)
class JudgedCases:
    """One version's outputs, all scored by a judge and a random part labelled by humans, on one scale.

    Attributes:
        scores: f, the judge's score of each case.
        labels: y, the human's score of the same cases in the same order; None for a case that was not drawn.
    """

    scores: Sequence[float]
    labels: Sequence[float | None]


@dataclass(frozen=True)
class Correction:
    """The judge's estimate, the corrected estimate and the weight of the labels, to be shown together.

    Attributes:
        interval: of the human mean, or mean difference, over all cases.
        raw: of the judge's scores alone; it has the judge's bias.
        tuning: λ in [0, 1], the weight of the judge: 0 uses the labels alone.
        labels: the number of labelled cases.
        effective_labels: the number of labels, drawn with equal chances and used without a judge, that give the same width.
        agreement: of judge and labels on the labelled cases: Krippendorff's alpha for interval data (for 0/1 the nominal one).
        half_width_at: predicts half the width of the interval, before it is clipped to the range, with so many times the
            labels, from 1 to all cases over the labels.
    """

    interval: Interval
    raw: Interval
    tuning: float
    labels: int
    effective_labels: float
    agreement: Agreement
    half_width_at: Callable[[float], float] = field(repr=False, compare=False)

    @property
    def labels_to_halve(self) -> int | None:
        """The number of further labels, drawn in the same way, that halve the interval; None where all cases do not suffice."""
        return self.further_labels(self.half_width_at(1.0) / 2)

    def further_labels(self, half_width: float) -> int | None:
        """Return the number of further labels, drawn in the same way, that make the interval so narrow.

        Args:
            half_width: half the width that is wanted, in the unit of the scores.

        Returns:
            0 where it is that narrow; None where labels of all cases do not suffice.
        """
        low, high = 1.0, max(1.0, self.interval.n / self.labels)
        if self.half_width_at(low) <= half_width:
            return 0
        if self.half_width_at(high) > half_width:
            return None
        while (high - low) * self.labels > _LABELS_TOLERANCE:
            middle = (low + high) / 2
            low, high = (middle, high) if self.half_width_at(middle) > half_width else (low, middle)
        return math.ceil((high - 1) * self.labels)


def corrected_mean(
    judged: JudgedCases, design: LabelDesign, *, level: float = 0.95, bounds: ScoreRange = UNIT_RANGE
) -> Correction:
    """Estimate the mean human score over all cases, from a judge on all cases and labels of a random part.

    θ̂ = λ · mean of f over all cases + weighted mean of (y - λf) over the labelled, with weights 1/π. With equal π this is
    the estimate of PPI++: its λ, which multiplies the mean over the unlabelled only, is this λ times the unlabelled share. λ
    minimises the estimated variance, within [0, 1]. The error is the jackknife's over clusters with a λ of its own for each
    cluster left out, with t on the effective number of labelled clusters - 2 degrees of freedom. A mean gets Wilson's interval
    on the effective number of cases θ(1-θ)/error², since θ̂ ± t · error covers too little where few clusters decide a mean
    near an end of the range. Sources: Angelopoulos, Duchi and Zrnic, PPI++, arXiv:2311.01453 (2023), section 6; with inclusion
    probabilities, Zrnic and Candès, Active Statistical Inference, arXiv:2403.03208 (2024); Wilson's interval on an effective
    number in samples of clusters, Dean and Pagano, J. Survey Statistics and Methodology 3 (2015), and Franco, Little, Louis
    and Slud, the same journal 7 (2019).

    In two situations a normal approximation would be too narrow:

    - Fewer than 10 labelled clusters have a disagreement, most have none, and labels differ from each other at least as often:
      λ is 1, the judge's error gets Tango's interval on the effective number of labels, and both parts are combined by squares
      (Zou and Donner, Statistics in Medicine 27, 2008).
    - Otherwise, nearly all labels lie on one end of the range: λ is 0 and the labels get Wilson's interval.

    Args:
        judged: the judge's scores and the labels, all inside `bounds`.
        design: how the same cases were drawn for labelling, in the same order.
        level: two-sided confidence, in (0, 1).
        bounds: the range that scores can take at all.

    Raises:
        TooFewLabelsError: fewer labels than the design's minimum, or from fewer than 5 clusters; `missing` is the number.
        ValueError: sides of different length, a value out of range, or a case without a label that was certain to be drawn.
    """
    low, high = checked_range(bounds)
    drawn, truth = _labels(judged.labels)
    scores = finite_array(judged.scores, "judged score")
    _same_cases(len(scores), len(truth))
    draw = LabelSample.of(drawn, design)
    _on_scale((low, high), scores, truth[draw.drawn])
    weights = design.weights or [1.0] * len(scores)
    raw = weighted_mean(judged.scores, weights, clusters=design.clusters, level=level, bounds=bounds)
    whole = WeightedSample.of_weights(weights, design.clusters)
    estimation = _Estimation(scores, truth, draw, whole, raw, (low, high), share=True)
    rare = min(draw.touched(truth != low), draw.touched(truth != high))
    if estimation.rare_disagreement(rare):
        return estimation.nearly_perfect()
    if is_rare(rare, draw.groups):
        share = min(1.0, max(0.0, (draw.mean(truth) - low) / (high - low)))
        size = draw.size(truth, share * (1 - share) * (high - low) ** 2)

        def bounds_at(factor: float) -> tuple[float, float]:
            bottom, top = wilson_interval(share * size * factor, size * factor, quantile.normal(level))
            return low + (high - low) * bottom, low + (high - low) * top

        return estimation.labels_alone(bounds_at, "labels-wilson", rare)
    return estimation.tuned()


def corrected_difference(
    candidate: JudgedCases,
    baseline: JudgedCases,
    design: LabelDesign,
    *,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
) -> Correction:
    """Estimate the paired difference of the human scores, from a judge of both versions and labels of both on a random part.

    `corrected_mean` is applied to the per-case differences of judge and of labels, so that a bias which the judge has on both
    versions cancels. Where nearly all labelled differences are 0, the labels get Tango's interval.

    Args:
        candidate: the judge's scores of the candidate's outputs and their labels, inside `bounds`.
        baseline: the same of the baseline's outputs for the same cases, in the same order; labelled where the candidate is.
        design: how the same cases, both outputs together, were drawn for labelling.
        level: two-sided confidence, in (0, 1).
        bounds: the range of a score; a difference lies within ± its width.

    Raises:
        TooFewLabelsError: as in `corrected_mean`.
        ValueError: as in `corrected_mean`, or a case of which only one output is labelled.
    """
    low, high = checked_range(bounds)
    drawn, candidate_truth = _labels(candidate.labels)
    baseline_drawn, baseline_truth = _labels(baseline.labels)
    for size in (len(candidate_truth), len(baseline.scores), len(baseline_truth)):
        _same_cases(len(candidate.scores), size)
    if drawn != baseline_drawn:
        place = [first is second for first, second in zip(drawn, baseline_drawn, strict=True)].index(False)
        raise ValueError(f"The case at position {place} has one output labelled and one not; label both or neither.")
    draw = LabelSample.of(drawn, design)
    candidate_scores = finite_array(candidate.scores, "judged score")
    baseline_scores = finite_array(baseline.scores, "judged score")
    truths = (candidate_truth[draw.drawn], baseline_truth[draw.drawn])
    _on_scale((low, high), candidate_scores, baseline_scores, *truths)
    weights = design.weights or [1.0] * len(candidate_scores)
    sides = candidate.scores, baseline.scores
    raw = weighted_difference(*sides, weights, clusters=design.clusters, level=level, bounds=bounds)
    whole = WeightedSample.of_weights(weights, design.clusters)
    width = high - low
    differences = (candidate_scores - baseline_scores, candidate_truth - baseline_truth)
    estimation = _Estimation(*differences, draw, whole, raw, (-width, width), share=False)
    rare = draw.touched(estimation.truth != 0.0)
    if estimation.rare_disagreement(rare):
        return estimation.nearly_perfect()
    if is_rare(rare, draw.groups):
        return estimation.labels_alone(estimation.tango(estimation.truth, width), "labels-tango", rare)
    return estimation.tuned()


@dataclass(frozen=True)
class _Corrected:
    """An estimate with its bounds before they are clipped, their formula, and the weight of the judge."""

    estimate: float
    low: float
    high: float
    method: str
    tuning: float


@dataclass(frozen=True, eq=False)
class _Estimation:
    """Judge and labels of all cases, as scores or as differences; `truth` is 0 where there is no label.

    `share` is whether the mean is one of scores, whose variance falls towards the ends of the range.
    """

    scores: Floats
    truth: Floats
    draw: LabelSample
    whole: WeightedSample
    raw: Interval
    limits: ScoreRange
    share: bool

    def rare_disagreement(self, rare: int) -> bool:
        """Return whether judge and labels rarely disagree, and not more often than labels differ from a constant judge.

        Args:
            rare: how many labelled clusters have a label other than the most frequent end of the range.
        """
        wrong = self.draw.touched(self.truth != self.scores)
        return is_rare(wrong, self.draw.groups) and (wrong <= rare or not is_rare(rare, self.draw.groups))

    def tuned(self) -> Correction:
        contributions, tuning = self._tuned_contributions()
        estimate = exact_mean(contributions.tolist())
        low, high = self._tuned_bounds(estimate, self.tuned_error, self.draw.quantile(self.raw.level))
        correction = _Corrected(estimate, low, high, "prediction-powered", tuning)
        return self._correction(correction, self._tuned_width(contributions, tuning))

    @cached_property
    def tuned_error(self) -> float:
        """The error of the estimate with the tuned λ."""
        return ClusterSums.of(self.draw, self.whole, self.truth, self.scores).error()

    def _tuned_bounds(self, estimate: float, error: float, deviation: float) -> tuple[float, float]:
        """Return Wilson's bounds of a mean of scores, estimate ± deviation · error for a difference.

        Wilson's effective number of cases is s(1-s)/error², with s the mean's place in the range. A corrected mean may lie
        nearer to an end than its error, or beyond it, where s(1-s) is no measure of the variance: s is at least one error from
        an end.
        """
        low, high = self.limits
        if not self.share or error == 0.0:
            return estimate - deviation * error, estimate + deviation * error
        width = high - low
        share, relative = min(1.0, max(0.0, (estimate - low) / width)), error / width
        place = min(max(share, relative), 1 - relative) if relative < 0.5 else 0.5
        size = place * (1 - place) / relative**2
        bottom, top = wilson_interval(share * size, size, deviation)
        return low + width * bottom, low + width * top

    def _tuned_contributions(self) -> tuple[Floats, float]:
        """Return each case's contribution to the estimate, and the λ that minimises their variance."""
        draw = self.draw
        labels = draw.contributions(self.truth)
        shift = self.whole.contributions(self.scores) - draw.contributions(self.scores)
        sample = draw.sample(labels)
        shift_sums, label_sums = sample.sums(shift - shift.mean()), sample.sums(labels - labels.mean())
        variance = float(shift_sums @ shift_sums)
        tuning = min(1.0, max(0.0, -float(shift_sums @ label_sums) / variance)) if variance > 0 else 0.0
        return labels + tuning * shift, tuning

    def nearly_perfect(self) -> Correction:
        residuals = np.where(self.draw.drawn, self.truth - self.scores, 0.0)
        bias = self.draw.mean(residuals)
        estimate = self.raw.estimate + bias
        bounds_at = self.tango(residuals, self.limits[1] - self.limits[0])

        def reaches_at(factor: float) -> tuple[float, float]:
            low, high = bounds_at(factor)
            return math.hypot(self.raw.estimate - self.raw.low, bias - low), math.hypot(
                self.raw.high - self.raw.estimate, high - bias
            )

        below, above = reaches_at(1.0)
        correction = _Corrected(estimate, estimate - below, estimate + above, "prediction-powered-tango", 1.0)
        rare = self.draw.touched(self.truth != self.scores)
        return self._correction(correction, self._until_common(lambda factor: sum(reaches_at(factor)) / 2, rare))

    def labels_alone(self, bounds_at: Callable[[float], tuple[float, float]], method: str, rare: int) -> Correction:
        def half_width_at(factor: float) -> float:
            low, high = bounds_at(factor)
            return (high - low) / 2

        correction = _Corrected(self.draw.mean(self.truth), *bounds_at(1.0), method, 0.0)
        return self._correction(correction, self._until_common(half_width_at, rare))

    def _until_common(self, half_width_at: Callable[[float], float], rare: int) -> Callable[[float], float]:
        """Return a prediction that changes to the tuned interval where so many labels are expected to suffice for it.

        Args:
            half_width_at: predicts half the width of an interval for rare events.
            rare: how many labelled clusters have one.
        """
        tuned_width_at = self._tuned_width(*self._tuned_contributions())
        return lambda factor: (half_width_at if rare * factor < SCARCE else tuned_width_at)(factor)

    def tango(self, values: Floats, width: float) -> Callable[[float], tuple[float, float]]:
        """Return what computes Tango's bounds of the values' mean with so many times the labels."""
        bounds_at, deviation = difference_bounds(self.draw, values, width), quantile.normal(self.raw.level)
        return lambda factor: bounds_at(deviation, factor)

    def _tuned_width(self, contributions: Floats, tuning: float) -> Callable[[float], float]:
        """Return what predicts the half width from the labels' part of the variance, which alone falls with more labels.

        With r = y - λf and weights w, a contribution is λf + w(r - r̄) and a constant. Over the draw, E(w) is 1, so that more
        labels change the variance of w(r - r̄) alone, in proportion to their number.
        """
        draw, level, estimate = self.draw, self.raw.level, exact_mean(contributions.tolist())

        @cache
        def share_of_labels() -> float:
            residuals = np.where(draw.drawn, self.truth - tuning * self.scores, 0.0)
            parts, whole = draw.weights * (residuals - draw.mean(residuals)), draw.error(contributions)
            return min(1.0, (draw.error(parts) / whole) ** 2) if whole > 0 else 1.0

        def half_width_at(factor: float) -> float:
            by_labels = share_of_labels()
            reached = self.tuned_error * math.sqrt(1 - by_labels + by_labels / factor)
            low, high = self._tuned_bounds(estimate, reached, draw.quantile(level, factor))
            return (high - low) / 2

        return half_width_at

    def _correction(self, corrected: "_Corrected", half_width_at: Callable[[float], float]) -> Correction:
        estimate = min(self.limits[1], max(self.limits[0], corrected.estimate))
        low, high = min(estimate, max(self.limits[0], corrected.low)), max(estimate, min(self.limits[1], corrected.high))
        interval = Interval(
            estimate, low, high, self.raw.level, corrected.method, self.raw.n, self.raw.clusters, self.raw.effective
        )
        drawn = self.draw.drawn
        pair = (self.scores[drawn].tolist(), self.truth[drawn].tolist())
        agreement = krippendorff_alpha(pair, metric=DistanceMetric.INTERVAL)
        labels, effective = int(drawn.sum()), self._effective(interval)
        return Correction(interval, self.raw, corrected.tuning, labels, effective, agreement, half_width_at)

    def _effective(self, interval: Interval) -> float:
        """Return the labels' variance over the squared error that the width implies; their effective number without spread."""
        centred = np.where(self.draw.drawn, self.truth - self.draw.mean(self.truth), 0.0)
        variance = self.draw.mean(centred**2)
        if variance == 0.0 or interval.half_width == 0.0:
            return self.draw.effective()
        return variance * (quantile.normal(interval.level) / interval.half_width) ** 2


def _labels(labels: Sequence[float | None]) -> tuple[list[bool], Floats]:
    """Return whether each case has a label, and the labels with 0 in place of a missing one."""
    drawn = [label is not None for label in labels]
    values = finite_array([0.0 if label is None else label for label in labels], "label")
    return drawn, values


def _same_cases(scores: int, others: int) -> None:
    """Raise ValueError for sides of different length."""
    if scores != others:
        raise ValueError(f"There are {scores} judged cases but {others} on another side; give the same cases on all sides.")


def _on_scale(bounds: ScoreRange, *sides: Floats) -> None:
    """Raise ValueError for scores or labels outside the stated range."""
    if not all(all_within(side, bounds) for side in sides):
        raise ValueError("A score or label lies outside the stated range; put both on one scale and state it as `bounds`.")
