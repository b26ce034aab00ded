"""Simulated suites whose judge is corrected by labels of randomly drawn outputs, with a known true mean.

Each suite draws a true rate, a judge and 50 to 400 labels with unequal chances: an output that the judge fails is drawn two to
four times as often. The settings are those of uncorrected intervals: clusters, repeats, few cases, rare failures, graded
scores, and paired differences. `make bench` simulates 2,000 suites a setting, the tests a few.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.judges.correction import Correction, JudgedCases, corrected_difference, corrected_mean
from promptuary.statistics.judges.label_sample import LabelDesign

FULL = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelledSuite:
    """One simulated suite: scores and labels of all outputs, on both sides of a paired one, and how they may be drawn.

    Attributes:
        truth: the label of each output.
        scores: of the judge.
        baseline: labels and scores of the baseline's outputs; None for a mean.
        clusters: of each output; None where outputs are independent.
        ratio: how much more often an output that the judge fails is drawn.
        mean: the true mean, or difference.
    """

    truth: Floats
    scores: Floats
    baseline: tuple[Floats, Floats] | None
    clusters: list[Hashable] | None
    ratio: float
    mean: float

    def corrected(self, rng: np.random.Generator, labels: float) -> Correction:
        """Draw about so many labels, and correct the judge's mean or difference by them."""
        chances = np.where(self.scores < 0.5, self.ratio, 1.0)
        chances = np.clip(chances * labels / chances.sum(), 0.0, 0.98)
        drawn = rng.random(self.truth.size) < chances
        design = LabelDesign(chances.tolist(), self.clusters)
        candidate = _judged(self.truth, self.scores, drawn)
        if self.baseline is None:
            return corrected_mean(candidate, design)
        return corrected_difference(candidate, _judged(*self.baseline, drawn), design)


Setting = Callable[[np.random.Generator], tuple[LabelledSuite, int]]
"""Draws a suite and its number of labels."""


def coverage(setting: Setting, suites: int = FULL, seed: int = 11) -> float:
    """Return the share of corrected intervals that contain the true mean."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(suites):
        suite, labels = setting(rng)
        interval = suite.corrected(rng, labels).interval
        hits += interval.low - 1e-12 <= suite.mean <= interval.high + 1e-12
    return hits / suites


def halving_ratio(setting: Setting, suites: int = FULL, seed: int = 12) -> float | None:
    """Return the median ratio of the predicted number of labels that halve the interval to the number that does.

    The number that does comes from a second draw of the same outputs with the predicted number: where its interval is wider
    than the half, by a factor r, more labels were needed. The width falls with the root of the labels' part of the variance,
    so that the number is found by drawing again until the width is the half. None where most suites have too few outputs.
    """
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(suites):
        suite, labels = setting(rng)
        first = suite.corrected(rng, labels)
        further = first.labels_to_halve
        if further is None or first.labels + further > 0.9 * suite.truth.size:
            continue
        target = first.half_width_at(1.0) / 2
        second = suite.corrected(rng, first.labels + further)
        needed = second.labels * _factor(second, target)
        ratios.append((first.labels + further) / needed)
    return median(ratios) if len(ratios) > suites / 20 else None


def _factor(correction: Correction, target: float) -> float:
    """Return how many times the labels of a correction make its interval as narrow as a target; from a quarter to four."""
    low, high = 0.25, 4.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if correction.half_width_at(middle) > target else (low, middle)
    return high


def _judged(truth: Floats, scores: Floats, drawn: NDArray[np.bool_]) -> JudgedCases:
    labels = [float(label) if chosen else None for label, chosen in zip(truth, drawn, strict=True)]
    return JudgedCases(scores.tolist(), labels)


def _verdicts(rng: np.random.Generator, truth: Floats) -> Floats:
    """Return the verdicts of a judge with a random sensitivity and specificity."""
    passes = np.where(truth > 0.5, rng.uniform(0.75, 0.98), 1 - rng.uniform(0.6, 0.95))
    return (rng.random(truth.size) < passes).astype(float)


def binary(cases: int, low: float, high: float, labels: tuple[int, int]) -> Setting:
    """Return a setting of independent outputs that people pass or fail."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        rate = rng.uniform(low, high)
        truth = (rng.random(cases) < rate).astype(float)
        suite = LabelledSuite(truth, _verdicts(rng, truth), None, None, rng.uniform(2, 4), rate)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


def grouped(groups: int, sizes: tuple[int, int], spread: float, rates: tuple[float, float], labels: tuple[int, int]) -> Setting:
    """Return a setting whose outputs share a rate with others: those of a cluster, or the repeats of a case."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        rate, total = rng.uniform(*rates), 1 / spread - 1
        codes = np.repeat(np.arange(groups), rng.integers(*sizes, size=groups, endpoint=True))
        truth = (rng.random(codes.size) < rng.beta(rate * total, (1 - rate) * total, groups)[codes]).astype(float)
        suite = LabelledSuite(truth, _verdicts(rng, truth), None, codes.tolist(), rng.uniform(2, 4), rate)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


def graded(cases: int, a: float, b: float, labels: tuple[int, int]) -> Setting:
    """Return a setting whose labels and scores are graded; the judge has a bias and noise."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        truth = rng.beta(a, b, cases)
        noise = rng.normal(rng.uniform(-0.15, 0.15), rng.uniform(0.03, 0.2), cases)
        suite = LabelledSuite(truth, np.clip(truth + noise, 0, 1), None, None, rng.uniform(2, 4), a / (a + b))
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


def paired(cases: int, change: tuple[float, float], labels: tuple[int, int], clusters: int = 0) -> Setting:
    """Return a setting of two versions on the same cases, both outputs of a case drawn together."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        lost, gained = rng.uniform(*change), rng.uniform(*change)
        codes = rng.integers(clusters, size=cases) if clusters else np.arange(cases)
        luck = rng.random(cases)
        if clusters:
            luck = np.where(rng.random(cases) < 0.5, rng.random(clusters)[codes], luck)
        change_of = np.where(luck < lost, -1.0, np.where(luck > 1 - gained, 1.0, 0.0))
        baseline = np.where(change_of < 0, 1.0, np.where(change_of > 0, 0.0, (rng.random(cases) < 0.7).astype(float)))
        truth = baseline + change_of
        judge = np.random.default_rng(int(rng.integers(2**32)))
        sides = _verdicts(judge, np.concatenate([truth, baseline]))
        grouping: list[Hashable] | None = codes.tolist() if clusters else None
        suite = LabelledSuite(truth, sides[:cases], (baseline, sides[cases:]), grouping, rng.uniform(2, 4), gained - lost)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


ALL = (50, 400)
SETTINGS: dict[str, Setting] = {
    "0/1, n=120": binary(120, 0.3, 0.9, (50, 100)),
    "0/1, n=600": binary(600, 0.2, 0.95, ALL),
    "0/1, n=2,000": binary(2_000, 0.2, 0.95, ALL),
    "0/1, n=1,000, rare failures": binary(1_000, 0.93, 0.995, ALL),
    "3 repeats, 200 cases": grouped(200, (3, 3), 0.4, (0.3, 0.9), ALL),
    "3 repeats, 300 cases, rare failures": grouped(300, (3, 3), 0.5, (0.93, 0.99), ALL),
    "20 clusters": grouped(20, (15, 45), 0.15, (0.3, 0.9), (100, 400)),
    "50 clusters": grouped(50, (5, 25), 0.3, (0.3, 0.9), (100, 400)),
    "50 clusters, rare failures": grouped(50, (5, 25), 0.1, (0.93, 0.99), (100, 400)),
    "graded, n=600": graded(600, 4, 2, ALL),
    "graded, n=600, U-shaped": graded(600, 0.4, 0.3, ALL),
    "paired 0/1, n=150": paired(150, (0.05, 0.3), (50, 120)),
    "paired 0/1, n=800": paired(800, (0.02, 0.2), ALL),
    "paired 0/1, n=800, rare": paired(800, (0.005, 0.05), ALL),
    "paired, 40 clusters": paired(600, (0.05, 0.2), (100, 400), clusters=40),
}

FEW = (60, 200)
ROOMY: dict[str, Setting] = {
    "0/1, n=8,000": binary(8_000, 0.2, 0.95, FEW),
    "0/1, n=8,000, rare failures": binary(8_000, 0.93, 0.99, FEW),
    "3 repeats, 2,000 cases": grouped(2_000, (3, 3), 0.4, (0.3, 0.9), FEW),
    "400 clusters": grouped(400, (5, 25), 0.1, (0.3, 0.9), FEW),
    "graded, n=8,000": graded(8_000, 4, 2, FEW),
    "paired 0/1, n=8,000": paired(8_000, (0.05, 0.2), FEW),
}
"""Suites with many more outputs than labels, so that labels can halve the interval."""
