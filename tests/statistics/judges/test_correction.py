import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from promptuary.statistics.judges.correction import Correction, JudgedCases, corrected_difference, corrected_mean
from promptuary.statistics.judges.label_sample import LabelDesign, TooFewLabelsError
from promptuary.statistics.mean_interval import mean_interval

Floats = NDArray[np.float64]


def hidden(labels: Floats, drawn: NDArray[np.bool_]) -> list[float | None]:
    return [float(label) if chosen else None for label, chosen in zip(labels, drawn, strict=True)]


def judged(rng: np.random.Generator, truth: Floats, right: float) -> Floats:
    """Simulate a judge of 0/1 outputs that is right with this probability."""
    return np.where(rng.random(truth.size) < right, truth, 1 - truth)


def simulated(
    seed: int, n: int = 600, labels: int = 120, right: float = 0.85, rate: float = 0.7
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rate).astype(float)
    drawn = np.zeros(n, dtype=bool)
    drawn[rng.choice(n, labels, replace=False)] = True
    return judged(rng, truth, right), truth, drawn


def corrected(scores: Floats, truth: Floats, drawn: NDArray[np.bool_], clusters: Sequence[int] | None = None) -> Correction:
    chances = [float(drawn.mean())] * len(truth)
    return corrected_mean(JudgedCases(scores.tolist(), hidden(truth, drawn)), LabelDesign(chances, clusters))


def test_with_equal_chances_it_is_the_published_estimate() -> None:
    # PPI++ (arXiv:2311.01453), mean: λ·mean(f, unlabelled) + mean(y - λf, labelled), λ = cov(y, f) / ((1 + n/N) var f), and the
    # variance λ²·var(f)/N + var(y - λf)/n, with n labelled and N unlabelled.
    rng = np.random.default_rng(1)
    truth = rng.beta(3, 2, 2000)
    scores = np.clip(0.1 + 0.7 * truth + rng.normal(0, 0.1, 2000), 0, 1)
    drawn = np.zeros(2000, dtype=bool)
    drawn[rng.choice(2000, 400, replace=False)] = True
    n, rest = 400, 1600
    correction = corrected(scores, truth, drawn)
    tuning = correction.tuning * rest / 2000
    published = np.cov(truth[drawn], scores[drawn])[0, 1] / ((1 + n / rest) * scores.var())
    assert tuning == pytest.approx(min(published, rest / 2000), rel=0.05)
    residuals = truth[drawn] - tuning * scores[drawn]
    assert correction.interval.estimate == pytest.approx(tuning * scores[~drawn].mean() + residuals.mean())
    error = math.sqrt(tuning**2 * scores[~drawn].var() / rest + residuals.var() / n)
    assert correction.interval.half_width == pytest.approx(1.96 * error, rel=0.05)


def test_a_useless_judge_is_not_relied_on() -> None:
    rng = np.random.default_rng(20)
    scores, truth, drawn = simulated(2)
    noise = (rng.random(600) < 0.5).astype(float)
    correction = corrected(noise, truth, drawn)
    assert correction.tuning < 0.2
    assert correction.interval.half_width == pytest.approx(mean_interval(truth[drawn].tolist()).half_width, rel=0.1)
    assert corrected(scores, truth, drawn).tuning > 0.4


def test_a_good_judge_multiplies_the_labels_and_a_bias_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    truth = rng.beta(2, 2, 3000)
    scores = np.clip(truth + 0.15 + rng.normal(0, 0.04, 3000), 0, 1)
    drawn = rng.random(3000) < 0.05
    correction = corrected_mean(JudgedCases(scores.tolist(), hidden(truth, drawn)), LabelDesign([0.05] * 3000))
    assert correction.effective_labels > 3 * correction.labels
    assert correction.interval.low < 0.5 < correction.interval.high
    assert correction.raw.low > 0.55
    assert correction.labels == drawn.sum()


def test_labels_drawn_where_the_judge_failed_cases_more_often_do_not_bias() -> None:
    rng = np.random.default_rng(4)
    estimates = []
    for _ in range(60):
        truth = (rng.random(800) < 0.7).astype(float)
        scores = judged(rng, truth, 0.8)
        chances = np.where(scores == 1, 0.08, 0.3)
        drawn = rng.random(800) < chances
        correction = corrected_mean(JudgedCases(scores.tolist(), hidden(truth, drawn)), LabelDesign(chances.tolist()))
        estimates.append(correction.interval.estimate)
    assert np.mean(estimates) == pytest.approx(0.7, abs=0.012)


@pytest.mark.parametrize(
    ("labels", "right", "rate"), [(60, 0.85, 0.6), (120, 0.98, 0.7), (120, 0.8, 0.97), (300, 0.6, 0.5), (40, 0.9, 0.7)]
)
def test_nineteen_of_twenty_corrected_intervals_contain_the_human_mean(labels: int, right: float, rate: float) -> None:
    hits = 0
    for seed in range(200):
        interval = corrected(*simulated(seed, labels=labels, right=right, rate=rate)).interval
        hits += interval.low <= rate <= interval.high
    assert hits / 200 >= 0.95 - 3 * 0.0155


def test_clusters_are_the_unit_of_the_correction() -> None:
    hits, widths = 0, []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        codes = rng.integers(40, size=500)
        truth = (rng.random(500) < rng.beta(2.1, 0.9, 40)[codes]).astype(float)
        drawn = rng.random(500) < 0.3
        interval = corrected(judged(rng, truth, 0.8), truth, drawn, codes.tolist()).interval
        hits += interval.low <= 0.7 <= interval.high
        widths.append(interval.half_width)
        assert interval.clusters == len(set(codes.tolist()))
    assert hits / 150 >= 0.95 - 3 * 0.018


def test_a_judge_without_an_observed_error_is_not_taken_for_perfect() -> None:
    _, truth, drawn = simulated(5, n=5000, labels=40)
    correction = corrected(truth, truth, drawn)
    assert correction.interval.method == "prediction-powered-tango"
    assert correction.tuning == 1.0
    assert correction.interval.half_width > 0.05 > correction.raw.half_width


def test_labels_without_a_failure_are_not_taken_for_certain() -> None:
    scores, _, drawn = simulated(6, labels=60)
    correction = corrected(scores, np.ones(600), drawn)
    assert correction.interval.method == "labels-wilson"
    assert correction.interval.high == 1.0
    assert 0.92 < correction.interval.low < 0.95


def test_a_judge_of_two_versions_is_corrected_on_the_same_cases() -> None:
    hits = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        baseline = (rng.random(500) < 0.7).astype(float)
        candidate = np.where(rng.random(500) < 0.2, (rng.random(500) < 0.4).astype(float), baseline)
        drawn = rng.random(500) < 0.2
        correction = corrected_difference(
            JudgedCases(judged(rng, candidate, 0.85).tolist(), hidden(candidate, drawn)),
            JudgedCases(judged(rng, baseline, 0.85).tolist(), hidden(baseline, drawn)),
            LabelDesign([0.2] * 500),
        )
        hits += correction.interval.low <= 0.2 * (0.4 - 0.7) <= correction.interval.high
    assert hits / 150 >= 0.95 - 3 * 0.018


def test_equal_labels_on_both_versions_leave_room_for_a_difference() -> None:
    rng = np.random.default_rng(9)
    truth = (rng.random(300) < 0.7).astype(float)
    drawn = rng.random(300) < 0.2
    labels = hidden(truth, drawn)
    noisy = judged(rng, truth, 0.6).tolist()
    correction = corrected_difference(JudgedCases(noisy, labels), JudgedCases(truth.tolist(), labels), LabelDesign([0.2] * 300))
    assert correction.interval.method == "labels-tango"
    assert correction.interval.low < 0 < correction.interval.high
    same = corrected_difference(
        JudgedCases(truth.tolist(), labels), JudgedCases(truth.tolist(), labels), LabelDesign([0.2] * 300)
    )
    assert same.interval.low < 0 < same.interval.high


def test_too_few_labels_are_refused_with_how_many_are_missing() -> None:
    scores, truth, drawn = simulated(7, labels=23)
    with pytest.raises(TooFewLabelsError, match="7 labels are missing") as refusal:
        corrected(scores, truth, drawn)
    assert refusal.value.missing == 7
    none: list[float | None] = [None] * 600
    with pytest.raises(TooFewLabelsError, match="30 labels are missing"):
        corrected_mean(JudgedCases(scores.tolist(), none), LabelDesign([0.1] * 600))


def test_labels_from_too_few_clusters_are_refused() -> None:
    scores, truth, drawn = simulated(7)
    with pytest.raises(TooFewLabelsError, match="3 further clusters") as refusal:
        corrected(scores, truth, drawn, [place % 2 for place in range(600)])
    assert refusal.value.missing == 3


def test_a_draw_that_is_not_on_record_is_refused() -> None:
    scores, truth, drawn = simulated(8)
    labels = hidden(truth, drawn)
    with pytest.raises(ValueError, match="picked by hand"):
        corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign([0.0] * 600))
    with pytest.raises(ValueError, match="certain to be drawn"):
        corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign([1.0] * 600))
    with pytest.raises(ValueError, match="record one a case"):
        corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign([0.5]))
    with pytest.raises(ValueError, match="at least 10"):
        corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign([0.2] * 600, minimum=2))


def test_sides_that_do_not_fit_are_refused() -> None:
    scores, truth, drawn = simulated(8)
    labels, chances = hidden(truth, drawn), [0.2] * 600
    with pytest.raises(ValueError, match="same cases"):
        corrected_mean(JudgedCases(scores.tolist()[:-1], labels), LabelDesign(chances))
    with pytest.raises(ValueError, match="one scale"):
        corrected_mean(JudgedCases((scores * 5).tolist(), labels), LabelDesign(chances))
    half = [None if place == int(np.flatnonzero(drawn)[0]) else label for place, label in enumerate(labels)]
    with pytest.raises(ValueError, match="one output labelled"):
        corrected_difference(JudgedCases(scores.tolist(), labels), JudgedCases(truth.tolist(), half), LabelDesign(chances))
    with pytest.raises(ValueError, match="one scale"):
        corrected_difference(
            JudgedCases((scores * 5).tolist(), labels), JudgedCases(truth.tolist(), labels), LabelDesign(chances)
        )
    with pytest.raises(ValueError, match="same cases"):
        corrected_difference(
            JudgedCases(scores.tolist(), labels), JudgedCases(truth.tolist()[:-1], labels), LabelDesign(chances)
        )


def test_with_every_case_labelled_the_judge_no_longer_matters() -> None:
    scores, truth, _ = simulated(10, n=200, labels=100, right=0.7)
    everyone = np.ones(200, dtype=bool)
    correction = corrected(scores, truth, everyone)
    assert correction.interval.estimate == pytest.approx(truth.mean())
    assert correction.agreement.value is not None


def test_weighted_cases_are_corrected_to_the_mean_of_what_they_stand_for() -> None:
    # Bad outputs are sampled ten times as often as good ones, and so weigh a tenth: the judge's and the labels' means follow.
    hits, estimates = 0, []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        truth = (rng.random(4000) < 0.9).astype(float)
        chosen = rng.random(4000) < np.where(truth == 1, 0.1, 1.0)
        truth = truth[chosen]
        weights = np.where(truth == 1, 10.0, 1.0)
        drawn = rng.random(truth.size) < 0.3
        design = LabelDesign([0.3] * truth.size, weights=weights.tolist())
        correction = corrected_mean(JudgedCases(judged(rng, truth, 0.9).tolist(), hidden(truth, drawn)), design)
        estimates.append(correction.interval.estimate)
        hits += correction.interval.low <= 0.9 <= correction.interval.high
    assert np.mean(estimates) == pytest.approx(0.9, abs=0.01)
    assert hits / 150 >= 0.95 - 3 * 0.018
