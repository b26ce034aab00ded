"""The error of a corrected mean, compared with leaving out each cluster in turn."""

import math

import numpy as np
import pytest

from promptuary.statistics.judges.correction import JudgedCases, corrected_mean
from promptuary.statistics.judges.jackknife import ClusterSums
from promptuary.statistics.judges.label_sample import LabelDesign
from promptuary.statistics.weighted_sample import WeightedSample


def sums_of(rows: list[tuple[int, float, float, float]]) -> ClusterSums:
    """Return the sums of cases: the cluster, the weight of the label, the label and the score of each."""
    clusters = [row[0] for row in rows]
    weights, truth, scores = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    draw = WeightedSample(weights * (weights.size / weights.sum()), clusters, len(set(clusters)))
    return ClusterSums.of(draw, WeightedSample.of_weights([1.0] * len(rows), clusters), truth, scores)


def simulated_rows(seed: int) -> list[tuple[int, float, float, float]]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(120):
        label = float(rng.random() < 0.7)
        score = label if rng.random() < 0.65 else 1 - label
        rows.append((int(rng.integers(12)), float(rng.choice([0.0, 0.0, 2.0, 5.0])), label, score))
    return rows


def estimate_of(rows: list[tuple[int, float, float, float]]) -> float:
    """Return the corrected mean of some cases, with the λ that the public function chooses for them."""
    weights = [row[1] for row in rows]
    total = sum(weights)
    chances = [1 / weight if weight else 0.5 for weight in weights]
    labels = [row[2] if row[1] else None for row in rows]
    design = LabelDesign(chances, [row[0] for row in rows], minimum=10)
    tuning = corrected_mean(JudgedCases([row[3] for row in rows], labels), design).tuning
    label = sum(weight * row[2] for weight, row in zip(weights, rows, strict=True)) / total
    labelled = sum(weight * row[3] for weight, row in zip(weights, rows, strict=True)) / total
    return label + tuning * (sum(row[3] for row in rows) / len(rows) - labelled)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_cluster_is_left_out_with_a_tuning_of_its_own(seed: int) -> None:
    rows = simulated_rows(seed)
    whole = estimate_of(rows)
    omitted = [estimate_of([row for row in rows if row[0] != cluster]) for cluster in range(12)]
    squares = sum((estimate - whole) ** 2 for estimate in omitted)
    assert sums_of(rows).error() == pytest.approx(math.sqrt(11 / 12 * squares), rel=1e-6)


def test_without_a_judge_it_is_the_error_of_a_mean() -> None:
    values = np.random.default_rng(4).random(40)
    rows = [(place, 1.0, float(value), 0.0) for place, value in enumerate(values)]
    assert sums_of(rows).error() == pytest.approx(values.std(ddof=1) / math.sqrt(40))


def test_a_judge_without_an_error_leaves_that_of_all_its_scores() -> None:
    scores = np.random.default_rng(5).random(300)
    rows = [(place, float(place % 3 == 0), float(score), float(score)) for place, score in enumerate(scores)]
    assert sums_of(rows).error() == pytest.approx(scores.std(ddof=1) / math.sqrt(300), rel=0.02)


def test_a_mean_near_an_end_has_the_longer_side_inwards() -> None:
    rng = np.random.default_rng(6)
    truth = (rng.random(600) < 0.85).astype(float)
    scores = np.where(rng.random(600) < 0.75, truth, 1 - truth)
    drawn = rng.random(600) < 0.25
    labels = [float(label) if chosen else None for label, chosen in zip(truth, drawn, strict=True)]
    correction = corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign([0.25] * 600))
    interval = correction.interval
    assert interval.method == "prediction-powered"
    assert interval.estimate - interval.low > interval.high - interval.estimate
    assert correction.half_width_at(1.0) == pytest.approx(interval.half_width)


def test_a_mean_at_an_end_has_an_interval_within_reason() -> None:
    # The corrected mean is below 0 before it is clipped: the judge passes what people fail, and the weights are uneven.
    rng = np.random.default_rng(7)
    truth = np.zeros(400)
    truth[:12] = 1.0
    scores = np.where(rng.random(400) < 0.4, 1.0, truth)
    scores[:12] = 0.0
    drawn = np.zeros(400, dtype=bool)
    drawn[:11] = True
    drawn[12::9] = True
    labels = [float(label) if chosen else None for label, chosen in zip(truth, drawn, strict=True)]
    chances = np.where(np.arange(400) < 12, 0.95, 1 / 9)
    interval = corrected_mean(JudgedCases(scores.tolist(), labels), LabelDesign(chances.tolist())).interval
    assert interval.low <= interval.estimate <= interval.high
    assert interval.high < 0.3
