"""A judge corrected by human labels that were drawn at random: prediction-powered inference, or a refusal."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from promptuary.statistics import quantile
from promptuary.statistics.agreement import Agreement, DistanceMetric, krippendorff_alpha
from promptuary.statistics.interval import Interval
from promptuary.statistics.label_sample import MINIMUM_LABELS, LabelSample
from promptuary.statistics.mean import exact_mean
from promptuary.statistics.mean_interval import is_rare, mean_interval, wilson_interval
from promptuary.statistics.paired import paired_difference, tango_interval
from promptuary.statistics.sample import UNIT_RANGE, Floats, ScoreRange, all_within, checked_range, finite_array


@dataclass(frozen=True)
class Correction:
    """What the judge says alone, what it says once corrected, and how much the labels weigh: to be shown together.

    Attributes:
        interval: of the human mean, or mean difference, over all cases.
        raw: of the judge's scores alone, biased by as much as the judge is.
        tuning: λ in [0, 1], how far the judge is relied on: 0 is the labels alone.
        labels: the number of labelled cases.
        effective_labels: how many labels, drawn with equal chances and used without a judge, would give the same width.
        agreement: of judge and labels on the labelled cases: Krippendorff's alpha for interval data (for 0/1 the nominal one).
    """

    interval: Interval
    raw: Interval
    tuning: float
    labels: int
    effective_labels: float
    agreement: Agreement


def corrected_mean(
    judged: Sequence[float],
    labels: Sequence[float | None],
    *,
    probabilities: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
    minimum: int = MINIMUM_LABELS,
) -> Correction:
    """The mean that humans would have given over all cases, from a judge on all and labels on a random part.

    θ̂ = λ · mean of f over all cases + weighted mean of (y - λf) over the labelled, with weights 1/π. With equal π this is
    PPI++'s estimate: its λ, which multiplies the mean over the unlabelled only, is this λ times the unlabelled share. λ
    minimises the estimated variance, held inside [0, 1]. The error is the cluster-robust one of each case's contribution to
    θ̂, with t on labelled clusters - 2 degrees of freedom. Sources: Angelopoulos, Duchi and Zrnic, PPI++, arXiv:2311.01453
    (2023), section 6; with inclusion probabilities, Zrnic and Candès, Active Statistical Inference, arXiv:2403.03208 (2024).

    Two cases in which a normal mean would be falsely sure:

    - Fewer than 10 labelled clusters hold a disagreement, and most hold none: λ is 1, the judge's error gets Tango's interval
      on the effective number of labels, and both parts are joined by squares (Zou and Donner, Statistics in Medicine 27, 2008).
    - Otherwise, nearly all labels sit on one end: λ is 0 and the labels get Wilson's interval.

    Args:
        judged: f, the judge's score of every case, inside `bounds`.
        labels: y, the human's score of the same case on the same scale, inside `bounds`; None for a case that was not drawn.
        probabilities: π, the recorded chance in (0, 1] with which each case was drawn for labelling, labelled or not.
        clusters: the cluster of each case; None for a case that stands alone.
        level: two-sided confidence, in (0, 1).
        bounds: the range that scores can take at all.
        minimum: the fewest labels that are accepted, ≥ 10; below about 30 the tuned interval is too narrow.

    Raises:
        TooFewLabelsError: fewer labels than `minimum`, or from fewer than 5 clusters; its `missing` says how many.
        ValueError: sides of different length, a value out of range, or a case without a label that was certain to be drawn.
    """
    low, high = checked_range(bounds)
    drawn, truth = _labels(labels)
    scores = finite_array(judged, "judged score")
    _same_cases(len(scores), len(truth))
    draw = LabelSample.of(drawn, probabilities, clusters, minimum)
    _on_scale((low, high), scores, truth[draw.drawn])
    raw = mean_interval(judged, clusters=clusters, level=level, bounds=bounds)
    case = _Case(scores, truth, draw, raw, high - low, (low, high))
    if case.rare_disagreement():
        return case.nearly_perfect()
    if is_rare(min(draw.touched(truth != low), draw.touched(truth != high)), draw.groups):
        share = min(1.0, max(0.0, (draw.mean(truth) - low) / (high - low)))
        size = draw.size(truth, share * (1 - share) * (high - low) ** 2)
        bottom, top = wilson_interval(share * size, size, quantile.normal(level))
        return case.labels_alone(low + (high - low) * bottom, low + (high - low) * top, "labels-wilson")
    return case.tuned()


def corrected_difference(
    candidate: Sequence[float],
    candidate_labels: Sequence[float | None],
    baseline: Sequence[float],
    baseline_labels: Sequence[float | None],
    *,
    probabilities: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    bounds: ScoreRange = UNIT_RANGE,
    minimum: int = MINIMUM_LABELS,
) -> Correction:
    """The paired difference that humans would have given, from a judge of both versions and labels of both on a random part.

    `corrected_mean` on the per-case differences of judge and of labels, so that a bias which the judge has on both versions
    falls out. Where nearly all labelled differences are 0, the labels get Tango's interval.

    Args:
        candidate: the judge's scores of the candidate's answers, inside `bounds`.
        candidate_labels: the human's scores of them; None where not drawn.
        baseline: the judge's scores of the baseline's answers to the same cases, in the same order.
        baseline_labels: the human's scores of them; None where not drawn.
        probabilities: the recorded chance in (0, 1] with which each case, both answers together, was drawn.
        clusters: the cluster of each case.
        level: two-sided confidence, in (0, 1).
        bounds: the range of a score; a difference lies within ± its width.
        minimum: the fewest cases with both labels that are accepted, ≥ 10.

    Raises:
        TooFewLabelsError: as in `corrected_mean`.
        ValueError: as in `corrected_mean`, or a case of which only one answer is labelled.
    """
    low, high = checked_range(bounds)
    drawn, ours = _labels(candidate_labels)
    also_drawn, theirs = _labels(baseline_labels)
    for size in (len(ours), len(baseline), len(theirs)):
        _same_cases(len(candidate), size)
    if drawn != also_drawn:
        place = [one is both for one, both in zip(drawn, also_drawn, strict=True)].index(False)
        raise ValueError(f"The case at position {place} has one answer labelled and one not; label both or neither.")
    draw = LabelSample.of(drawn, probabilities, clusters, minimum)
    first, second = finite_array(candidate, "judged score"), finite_array(baseline, "judged score")
    _on_scale((low, high), first, second, ours[draw.drawn], theirs[draw.drawn])
    raw = paired_difference(candidate, baseline, clusters=clusters, level=level, bounds=bounds)
    width = high - low
    case = _Case(first - second, ours - theirs, draw, raw, width, (-width, width))
    if case.rare_disagreement():
        return case.nearly_perfect()
    if is_rare(draw.touched(case.truth != 0.0), draw.groups):
        return case.labels_alone(*case.tango(case.truth, width), "labels-tango")
    return case.tuned()


@dataclass(frozen=True, eq=False)
class _Case:
    """Judge and labels of all cases, scores or differences alike; `truth` is 0 where there is no label."""

    scores: Floats
    truth: Floats
    draw: LabelSample
    raw: Interval
    width: float
    limits: ScoreRange

    def rare_disagreement(self) -> bool:
        return is_rare(self.draw.touched(self.truth != self.scores), self.draw.groups)

    def tuned(self) -> Correction:
        draw = self.draw
        labels = draw.contributions(self.truth)
        shift = self.scores - draw.contributions(self.scores)
        sample = draw.sample(labels)
        pushes, pulls = sample.sums(shift - shift.mean()), sample.sums(labels - labels.mean())
        power = float(pushes @ pushes)
        tuning = min(1.0, max(0.0, -float(pushes @ pulls) / power)) if power > 0 else 0.0
        whole = exact_mean((labels + tuning * shift).tolist())
        reach = quantile.student_t(self.raw.level, draw.groups - 2) * draw.error(labels + tuning * shift)
        return self._answer(whole, whole - reach, whole + reach, "prediction-powered", tuning)

    def nearly_perfect(self) -> Correction:
        residuals = np.where(self.draw.drawn, self.truth - self.scores, 0.0)
        bias = self.draw.mean(residuals)
        low, high = self.tango(residuals, self.limits[1] - self.limits[0])
        estimate = self.raw.estimate + bias
        below = math.hypot(self.raw.estimate - self.raw.low, bias - low)
        above = math.hypot(self.raw.high - self.raw.estimate, high - bias)
        return self._answer(estimate, estimate - below, estimate + above, "prediction-powered-tango", 1.0)

    def labels_alone(self, low: float, high: float, method: str) -> Correction:
        return self._answer(self.draw.mean(self.truth), low, high, method, 0.0)

    def tango(self, values: Floats, width: float) -> tuple[float, float]:
        gain = self.draw.mean(np.clip(values, 0.0, None)) / width
        loss = self.draw.mean(np.clip(-values, 0.0, None)) / width
        size = self.draw.size(values, (gain + loss - (gain - loss) ** 2) * width**2)
        low, high = tango_interval(gain * size, loss * size, size, quantile.normal(self.raw.level))
        return width * low, width * high

    def _answer(self, estimate: float, low: float, high: float, method: str, tuning: float) -> Correction:
        estimate = min(self.limits[1], max(self.limits[0], estimate))
        low, high = min(estimate, max(self.limits[0], low)), max(estimate, min(self.limits[1], high))
        interval = Interval(estimate, low, high, self.raw.level, method, self.raw.n, self.raw.clusters)
        drawn = self.draw.drawn
        pair = (self.scores[drawn].tolist(), self.truth[drawn].tolist())
        agreement = krippendorff_alpha(pair, metric=DistanceMetric.INTERVAL)
        labels = int(drawn.sum())
        return Correction(interval, self.raw, tuning, labels, self._effective(interval), agreement)

    def _effective(self, interval: Interval) -> float:
        """The labels' variance over the squared error that the width stands for; their own effective number without spread."""
        centred = np.where(self.draw.drawn, self.truth - self.draw.mean(self.truth), 0.0)
        variance = self.draw.mean(centred**2)
        if variance == 0.0 or interval.half_width == 0.0:
            return self.draw.effective()
        return variance * (quantile.normal(interval.level) / interval.half_width) ** 2


def _labels(labels: Sequence[float | None]) -> tuple[list[bool], Floats]:
    """Which cases have a label, and the labels with 0 in place of a missing one."""
    given = [label is not None for label in labels]
    values = finite_array([0.0 if label is None else label for label in labels], "label")
    return given, values


def _same_cases(scores: int, others: int) -> None:
    """Refuse sides of different length."""
    if scores != others:
        raise ValueError(f"There are {scores} judged cases but {others} on another side; give the same cases on all sides.")


def _on_scale(bounds: ScoreRange, *sides: Floats) -> None:
    """Refuse a judge and labels that are not on one stated scale."""
    if not all(all_within(side, bounds) for side in sides):
        raise ValueError("A score or label lies outside the stated range; put both on one scale and state it as `bounds`.")
