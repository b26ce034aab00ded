"""Simulated suites with a known true mean: the coverage of intervals, and the share of regressions that a gate passes.

A setting draws a true rate for each suite, so that the coverage is an average over a range of rates and does not depend on one
rate on the lattice of a discrete score. `make bench` simulates 2,000 suites a setting, the tests a few
hundred.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptuary.evaluation.verdict.comparison import (
    MetricScores,
    PairedScores,
    SamplingDesign,
    difference_interval,
    metric_interval,
)
from promptuary.statistics.bootstrap import cluster_bootstrap
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.paired import paired_difference
from promptuary.statistics.verdict import Verdict, non_inferiority_verdict

FULL = 2_000


@dataclass(frozen=True)
class Suite:
    """One simulated evaluation: the interval that was computed, and the truth that it should contain."""

    interval: Interval
    truth: float


Setting = Callable[[np.random.Generator], Suite]


def coverage(setting: Setting, suites: int = FULL, seed: int = 7) -> float:
    """Return the share of simulated suites whose interval contains the truth."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(suites):
        suite = setting(rng)
        hits += suite.interval.low - 1e-12 <= suite.truth <= suite.interval.high + 1e-12
    return hits / suites


def false_passes(setting: Setting, suites: int = FULL, seed: int = 7) -> float:
    """Return the share of suites that a gate passes although the candidate is truly worse by exactly its margin."""
    rng = np.random.default_rng(seed)
    passed = 0
    for _ in range(suites):
        suite = setting(rng)
        passed += non_inferiority_verdict(suite.interval, max(0.0, -suite.truth)) is Verdict.PASS
    return passed / suites


def _beta(rng: np.random.Generator, mean: float, spread: float, size: int) -> NDArray[np.float64]:
    """Draw rates, shape (size,), with a mean and an intraclass correlation `spread`; 0 is no variation."""
    if spread == 0.0:
        return np.full(size, mean)
    total = 1 / spread - 1
    return rng.beta(mean * total, (1 - mean) * total, size)


def binary_suite(n: int, low: float, high: float) -> Setting:
    """Return a setting with independent scores of 0 or 1 and a true rate drawn from [low, high]."""

    def draw(rng: np.random.Generator) -> Suite:
        rate = rng.uniform(low, high)
        return Suite(mean_interval((rng.random(n) < rate).astype(float).tolist()), rate)

    return draw


def repeated_suite(n: int, repeats: int, low: float, high: float, spread: float) -> Setting:
    """Return a setting with the mean of several 0/1 repeats a case, and cases of different difficulty."""

    def draw(rng: np.random.Generator) -> Suite:
        rate = rng.uniform(low, high)
        return Suite(mean_interval((rng.binomial(repeats, _beta(rng, rate, spread, n)) / repeats).tolist()), rate)

    return draw


def clustered_suite(
    clusters: int, low: float, high: float, spread: float, sizes: tuple[int, int] = (1, 9), bootstrap: bool = False
) -> Setting:
    """Return a setting with scores of 0 or 1 in clusters of unequal size that share a rate."""

    def draw(rng: np.random.Generator) -> Suite:
        rate = rng.uniform(low, high)
        size = rng.integers(*sizes, size=clusters)
        codes = np.repeat(np.arange(clusters), size).tolist()
        scores = (rng.random(len(codes)) < np.repeat(_beta(rng, rate, spread, clusters), size)).astype(float).tolist()
        if bootstrap:
            return Suite(cluster_bootstrap(scores, clusters=codes, seed=int(rng.integers(2**32)), resamples=999), rate)
        return Suite(mean_interval(scores, clusters=codes), rate)

    return draw


def graded_suite(n: int, a: float, b: float) -> Setting:
    """Return a setting with continuous scores in [0, 1] from Beta(a, b)."""

    def draw(rng: np.random.Generator) -> Suite:
        return Suite(mean_interval(rng.beta(a, b, n).tolist()), a / (a + b))

    return draw


def few_clusters(clusters: int, low: float, high: float, spread: float, sizes: tuple[int, int]) -> Setting:
    """Return a setting with clustered scores and the interval of a run's summary: the bootstrap where the clusters are few."""

    def draw(rng: np.random.Generator) -> Suite:
        rate = rng.uniform(low, high)
        size = rng.integers(*sizes, size=clusters)
        names = [f"k{code}" for code in np.repeat(np.arange(clusters), size)]
        hits = rng.random(len(names)) < np.repeat(_beta(rng, rate, spread, clusters), size)
        means = {f"c{place}": float(hit) for place, hit in enumerate(hits)}
        design = SamplingDesign(dict(zip(means, names, strict=True)))
        return Suite(metric_interval(MetricScores(means, len(means), 0), design), rate)

    return draw


def few_paired_clusters(clusters: int, per_cluster: tuple[int, int], lost: float, gained: float) -> Setting:
    """Return a setting with paired differences in few clusters, and the interval of a run's summary.

    A cluster's cases change together half of the time.
    """

    def draw(rng: np.random.Generator) -> Suite:
        codes = np.repeat(np.arange(clusters), rng.integers(*per_cluster, size=clusters))
        luck = np.where(rng.random(codes.size) < 0.5, rng.random(clusters)[codes], rng.random(codes.size))
        change = np.where(luck < lost, -1, np.where(luck > 1 - gained, 1, 0))
        baseline = np.where(change < 0, 1.0, np.where(change > 0, 0.0, rng.random(codes.size) < 0.7))
        names = [f"c{place}" for place in range(codes.size)]
        candidate = dict(zip(names, (baseline + change).tolist(), strict=True))
        pair = PairedScores(candidate, dict(zip(names, baseline.tolist(), strict=True)))
        design = SamplingDesign({name: f"k{code}" for name, code in zip(names, codes, strict=True)})
        return Suite(difference_interval(pair, design), gained - lost)

    return draw


def paired_suite(
    cases: int, losses: tuple[float, float], gains: tuple[float, float], repeats: int = 1, clusters: int = 0
) -> Setting:
    """Return a setting with two versions on the same cases; each suite draws the rates of cases that only one gets right.

    With clusters, a cluster's cases change together half of the time. With repeats, a changed case changes in each repeat
    independently with probability 0.7.
    """

    def draw(rng: np.random.Generator) -> Suite:
        lost, gained = rng.uniform(*losses), rng.uniform(*gains)
        codes = rng.integers(clusters, size=cases) if clusters else np.arange(cases)
        luck = rng.random(cases)
        if clusters:
            together = rng.random(cases) < 0.5
            luck = np.where(together, rng.random(clusters)[codes], luck)
        change = np.where(luck < lost, -1, np.where(luck > 1 - gained, 1, 0))
        sure = 1.0 if repeats == 1 else 0.7
        steps = change * rng.binomial(repeats, sure, cases) / repeats
        rest = rng.random(cases) < 0.7
        baseline = np.where(steps < 0, 1.0, np.where(steps > 0, 0.0, rest))
        interval = paired_difference(
            (baseline + steps).tolist(), baseline.tolist(), clusters=codes.tolist() if clusters else None
        )
        return Suite(interval, sure * (gained - lost))

    return draw


def graded_pairs(n: int) -> Setting:
    """Return a setting with continuous scores of two versions with a shared difficulty."""

    def draw(rng: np.random.Generator) -> Suite:
        base = rng.beta(4, 4, n)
        candidate = np.clip(base + rng.normal(0.0, 0.05, n), -1, 2)
        return Suite(paired_difference(candidate.tolist(), base.tolist(), bounds=(-1.0, 2.0)), 0.0)

    return draw


SETTINGS: dict[str, Setting] = {
    "0/1, n=12": binary_suite(12, 0.3, 0.9),
    "0/1, n=30": binary_suite(30, 0.2, 0.95),
    "0/1, n=200": binary_suite(200, 0.2, 0.95),
    "0/1, n=100, rare failures": binary_suite(100, 0.93, 0.995),
    "3 repeats, n=20": repeated_suite(20, 3, 0.3, 0.9, 0.4),
    "3 repeats, n=100": repeated_suite(100, 3, 0.3, 0.9, 0.4),
    "3 repeats, n=60, rare failures, case-bound": repeated_suite(60, 3, 0.93, 0.995, 0.8),
    "3 repeats, n=60, rare failures, noise": repeated_suite(60, 3, 0.93, 0.995, 0.05),
    "5 repeats, n=150, rare failures": repeated_suite(150, 5, 0.95, 0.995, 0.5),
    "10 clusters": clustered_suite(10, 0.3, 0.8, 0.3),
    "10 clusters of 3 to 6": clustered_suite(10, 0.3, 0.8, 0.3, (3, 7)),
    "10 clusters, bootstrap": clustered_suite(10, 0.3, 0.8, 0.3, bootstrap=True),
    "6 clusters, as summarised": few_clusters(6, 0.3, 0.8, 0.3, (3, 9)),
    "10 clusters, as summarised": few_clusters(10, 0.3, 0.8, 0.3, (1, 9)),
    "14 clusters, as summarised": few_clusters(14, 0.3, 0.8, 0.3, (1, 9)),
    "paired, 8 clusters, as summarised": few_paired_clusters(8, (5, 12), 0.2, 0.2),
    "paired, 12 clusters, as summarised": few_paired_clusters(12, (2, 12), 0.2, 0.25),
    "20 clusters": clustered_suite(20, 0.3, 0.9, 0.3),
    "50 clusters": clustered_suite(50, 0.3, 0.9, 0.3),
    "20 clusters, rare failures": clustered_suite(20, 0.93, 0.99, 0.1),
    "50 clusters, rare failures": clustered_suite(50, 0.93, 0.99, 0.1),
    "50 clusters, rare failures, strong": clustered_suite(50, 0.93, 0.99, 0.5),
    "50 pairs as clusters": clustered_suite(50, 0.3, 0.9, 0.5, (2, 3)),
    "graded, n=10": graded_suite(10, 4, 2),
    "graded, n=50": graded_suite(50, 4, 2),
    "graded, n=50, U-shaped": graded_suite(50, 0.4, 0.3),
    "paired 0/1, n=20": paired_suite(20, (0.05, 0.3), (0.05, 0.3)),
    "paired 0/1, n=40": paired_suite(40, (0.05, 0.2), (0.05, 0.2)),
    "paired 0/1, n=100, rare": paired_suite(100, (0.005, 0.06), (0.005, 0.06)),
    "paired 0/1, n=200": paired_suite(200, (0.02, 0.15), (0.02, 0.15)),
    "paired 3 repeats, n=40": paired_suite(40, (0.05, 0.3), (0.05, 0.3), repeats=3),
    "paired 3 repeats, n=100, rare": paired_suite(100, (0.005, 0.06), (0.005, 0.06), repeats=3),
    "paired, 20 clusters": paired_suite(100, (0.05, 0.3), (0.05, 0.3), clusters=20),
    "paired, 40 clusters": paired_suite(160, (0.05, 0.2), (0.05, 0.2), clusters=40),
    "paired, 40 clusters, rare": paired_suite(120, (0.005, 0.06), (0.005, 0.06), clusters=40),
    "paired graded, n=10": graded_pairs(10),
}

NULLS: dict[str, Setting] = {
    "0/1, n=40": paired_suite(40, (0.1, 0.3), (0.02, 0.1)),
    "0/1, n=100, only losses": paired_suite(100, (0.01, 0.08), (0.0, 0.0)),
    "0/1, n=200": paired_suite(200, (0.05, 0.15), (0.02, 0.05)),
    "3 repeats, n=60": paired_suite(60, (0.05, 0.2), (0.0, 0.05), repeats=3),
    "30 clusters": paired_suite(120, (0.05, 0.2), (0.0, 0.05), clusters=30),
}
