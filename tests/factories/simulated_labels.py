"""Simulated suites whose judge is corrected by labels of randomly drawn outputs, with a known true mean.

Each suite draws a true rate, a judge and 50 to 400 labels with unequal chances: an output that the judge fails is drawn two to
four times as often, and under a constant judge a random half of the outputs. The settings are those of uncorrected intervals
(clusters, repeats, few cases, rare failures, graded scores, paired differences), and each of a good, poor and constant judge
with 50 labels and 5 %, 50 % and 95 % of passed outputs. `make bench` simulates 2,000 suites a setting, the tests a few.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from promptuary.statistics.interval import Interval
from promptuary.statistics.judges.correction import Correction, JudgedCases, corrected_difference, corrected_mean
from promptuary.statistics.judges.label_sample import MINIMUM_LABELS, LabelDesign
from promptuary.statistics.weighted import weighted_difference, weighted_mean

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
        ratio: how much more often a suspicious output is drawn: one that the judge fails, or one of a random half where the
            judge has one score for all.
        mean: the true mean, or difference.
    """

    truth: Floats
    scores: Floats
    baseline: tuple[Floats, Floats] | None
    clusters: list[Hashable] | None
    ratio: float
    mean: float

    def drawn(self, rng: np.random.Generator, labels: float) -> "LabelledDraw":
        """Draw about so many labels."""
        constant = bool(np.all(self.scores == self.scores[0]))
        suspicious = rng.random(self.scores.size) < 0.5 if constant else self.scores < 0.5
        chances = np.where(suspicious, self.ratio, 1.0)
        chances = np.clip(chances * labels / chances.sum(), 0.0, 0.98)
        drawn = rng.random(self.truth.size) < chances
        while drawn.sum() < MINIMUM_LABELS:  # such a draw is refused, with how many labels are missing
            drawn = rng.random(self.truth.size) < chances
        return LabelledDraw(self, chances, drawn)


@dataclass(frozen=True, eq=False)
class LabelledDraw:
    """A suite, the chance with which each output was drawn for labelling, and whether it was."""

    suite: LabelledSuite
    chances: Floats
    drawn: NDArray[np.bool_]

    def corrected(self) -> Correction:
        """Correct the judge's mean or difference by the labels."""
        suite, design = self.suite, LabelDesign(self.chances.tolist(), self.suite.clusters)
        candidate = _judged(suite.truth, suite.scores, self.drawn)
        if suite.baseline is None:
            return corrected_mean(candidate, design)
        return corrected_difference(candidate, _judged(*suite.baseline, self.drawn), design)

    def labels_alone(self) -> Interval:
        """Return the interval of the labels without the judge."""
        suite, places = self.suite, np.flatnonzero(self.drawn).tolist()
        clusters = None if suite.clusters is None else [suite.clusters[place] for place in places]
        weights, truth = (1 / self.chances[places]).tolist(), suite.truth[places].tolist()
        if suite.baseline is None:
            return weighted_mean(truth, weights, clusters=clusters)
        return weighted_difference(truth, suite.baseline[0][places].tolist(), weights, clusters=clusters)


Setting = Callable[[np.random.Generator], tuple[LabelledSuite, int]]
"""Draws a suite and its number of labels."""


@dataclass(frozen=True)
class CoverageFigures:
    """Corrected intervals over simulated suites.

    Attributes:
        share: of intervals that contain the true mean.
        width: of an interval, on average.
        labels_width: of the interval of the same labels without the judge, on average.
    """

    share: float
    width: float
    labels_width: float


def coverage(setting: Setting, suites: int = FULL, seed: int = 11) -> float:
    """Return the share of corrected intervals that contain the true mean."""
    return sum(_contains(draw.corrected().interval, draw.suite.mean) for draw in _draws(setting, suites, seed)) / suites


def coverage_figures(setting: Setting, suites: int = FULL, seed: int = 11) -> CoverageFigures:
    """Return the coverage of the same suites, with the widths of the intervals."""
    rows = []
    for draw in _draws(setting, suites, seed):
        interval, alone = draw.corrected().interval, draw.labels_alone()
        rows.append((_contains(interval, draw.suite.mean), interval.high - interval.low, alone.high - alone.low))
    return CoverageFigures(*(float(figure) for figure in np.mean(rows, axis=0)))


def _draws(setting: Setting, suites: int, seed: int) -> Iterator[LabelledDraw]:
    rng = np.random.default_rng(seed)
    for _ in range(suites):
        suite, labels = setting(rng)
        yield suite.drawn(rng, labels)


def _contains(interval: Interval, mean: float) -> bool:
    return interval.low - 1e-12 <= mean <= interval.high + 1e-12


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
        first = suite.drawn(rng, labels).corrected()
        further = first.labels_to_halve
        if further is None or first.labels + further > 0.9 * suite.truth.size:
            continue
        target = first.half_width_at(1.0) / 2
        second = suite.drawn(rng, first.labels + further).corrected()
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


@dataclass(frozen=True)
class Judge:
    """A judge of 0/1 outputs, whose accuracy each suite draws from two ranges.

    Attributes:
        sensitivity: the range of the share that it passes of what people pass.
        specificity: the range of the share that it fails of what people fail.
    """

    sensitivity: tuple[float, float]
    specificity: tuple[float, float]

    def verdicts(self, rng: np.random.Generator, truth: Floats) -> Floats:
        passes = np.where(truth > 0.5, rng.uniform(*self.sensitivity), 1 - rng.uniform(*self.specificity))
        return (rng.random(truth.size) < passes).astype(float)


USUAL = Judge((0.75, 0.98), (0.6, 0.95))
GOOD = Judge((0.95, 0.99), (0.95, 0.99))
POOR = Judge((0.5, 0.65), (0.4, 0.6))
CONSTANT = Judge((1.0, 1.0), (0.0, 0.0))


def binary(cases: int, rates: tuple[float, float], labels: tuple[int, int], judge: Judge = USUAL) -> Setting:
    """Return a setting of independent outputs that people pass or fail."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        rate = rng.uniform(*rates)
        truth = (rng.random(cases) < rate).astype(float)
        suite = LabelledSuite(truth, judge.verdicts(rng, truth), None, None, rng.uniform(2, 4), rate)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


@dataclass(frozen=True)
class Grouping:
    """Outputs that share a rate with others: those of a cluster, or the repeats of a case.

    Attributes:
        groups: their number.
        sizes: the range of the number of outputs in one.
        spread: the correlation of two outputs of one.
    """

    groups: int
    sizes: tuple[int, int]
    spread: float


def grouped(grouping: Grouping, rates: tuple[float, float], labels: tuple[int, int], judge: Judge = USUAL) -> Setting:
    """Return a setting whose outputs come in groups."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        groups, rate, total = grouping.groups, rng.uniform(*rates), 1 / grouping.spread - 1
        codes = np.repeat(np.arange(groups), rng.integers(*grouping.sizes, size=groups, endpoint=True))
        truth = (rng.random(codes.size) < rng.beta(rate * total, (1 - rate) * total, groups)[codes]).astype(float)
        suite = LabelledSuite(truth, judge.verdicts(rng, truth), None, codes.tolist(), rng.uniform(2, 4), rate)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


def graded(
    cases: int, shape: tuple[float, float], labels: tuple[int, int], noise: tuple[float, float] = (0.03, 0.2)
) -> Setting:
    """Return a setting whose labels and scores are graded, labels by a beta distribution; the judge has a bias and noise."""

    def draw(rng: np.random.Generator) -> tuple[LabelledSuite, int]:
        truth = rng.beta(*shape, cases)
        error = rng.normal(rng.uniform(-0.15, 0.15), rng.uniform(*noise), cases)
        suite = LabelledSuite(truth, np.clip(truth + error, 0, 1), None, None, rng.uniform(2, 4), shape[0] / sum(shape))
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
        sides = USUAL.verdicts(judge, np.concatenate([truth, baseline]))
        grouping: list[Hashable] | None = codes.tolist() if clusters else None
        suite = LabelledSuite(truth, sides[:cases], (baseline, sides[cases:]), grouping, rng.uniform(2, 4), gained - lost)
        return suite, int(rng.integers(*labels, endpoint=True))

    return draw


ALL = (50, 400)
SETTINGS: dict[str, Setting] = {
    "0/1, n=120": binary(120, (0.3, 0.9), (50, 100)),
    "0/1, n=600": binary(600, (0.2, 0.95), ALL),
    "0/1, n=2,000": binary(2_000, (0.2, 0.95), ALL),
    **{
        f"0/1, n=1,000, 50 labels, {share} passed, {name} judge": binary(1_000, (rate, rate), (50, 50), judge)
        for share, rate in (("5 %", 0.05), ("50 %", 0.5), ("95 %", 0.95))
        for name, judge in (("good", GOOD), ("poor", POOR), ("constant", CONSTANT))
    },
    "0/1, n=1,000, rare failures": binary(1_000, (0.93, 0.995), ALL),
    "3 repeats, 200 cases": grouped(Grouping(200, (3, 3), 0.4), (0.3, 0.9), ALL),
    "3 repeats, 300 cases, rare failures": grouped(Grouping(300, (3, 3), 0.5), (0.93, 0.99), ALL),
    "20 clusters": grouped(Grouping(20, (15, 45), 0.15), (0.3, 0.9), (100, 400)),
    "50 clusters": grouped(Grouping(50, (5, 25), 0.3), (0.3, 0.9), (100, 400)),
    "50 clusters, 50 labels": grouped(Grouping(50, (5, 25), 0.3), (0.3, 0.9), (50, 50)),
    **{
        f"50 clusters, {share} passed": grouped(Grouping(50, (5, 25), 0.3), (rate, rate), (100, 400))
        for share, rate in (("10 %", 0.1), ("50 %", 0.5), ("90 %", 0.9))
    },
    "50 clusters, good judge": grouped(Grouping(50, (5, 25), 0.3), (0.3, 0.9), (100, 400), GOOD),
    "50 clusters, poor judge": grouped(Grouping(50, (5, 25), 0.3), (0.3, 0.9), (100, 400), POOR),
    "50 clusters, constant judge": grouped(Grouping(50, (5, 25), 0.3), (0.3, 0.9), (100, 400), CONSTANT),
    "50 clusters, rare failures": grouped(Grouping(50, (5, 25), 0.1), (0.93, 0.99), (100, 400)),
    "graded, n=600": graded(600, (4, 2), ALL),
    "graded, n=600, U-shaped": graded(600, (0.4, 0.3), ALL),
    "graded, n=600, 50 labels": graded(600, (4, 2), (50, 50)),
    "graded, n=600, 50 labels, near the top": graded(600, (9.5, 0.5), (50, 50)),
    "graded, n=600, 50 labels, poor judge": graded(600, (4, 2), (50, 50), (0.5, 0.9)),
    "paired 0/1, n=150": paired(150, (0.05, 0.3), (50, 120)),
    "paired 0/1, n=800": paired(800, (0.02, 0.2), ALL),
    "paired 0/1, n=800, rare": paired(800, (0.005, 0.05), ALL),
    "paired, 40 clusters": paired(600, (0.05, 0.2), (100, 400), clusters=40),
}

FEW = (60, 200)
ROOMY: dict[str, Setting] = {
    "0/1, n=8,000": binary(8_000, (0.2, 0.95), FEW),
    "0/1, n=8,000, rare failures": binary(8_000, (0.93, 0.99), FEW),
    "3 repeats, 2,000 cases": grouped(Grouping(2_000, (3, 3), 0.4), (0.3, 0.9), FEW),
    "400 clusters": grouped(Grouping(400, (5, 25), 0.1), (0.3, 0.9), FEW),
    "graded, n=8,000": graded(8_000, (4, 2), FEW),
    "paired 0/1, n=8,000": paired(8_000, (0.05, 0.2), FEW),
}
"""Suites with many more outputs than labels, so that labels can halve the interval."""
