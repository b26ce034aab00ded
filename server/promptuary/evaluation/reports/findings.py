"""What reports show of single results, gathered in one pass that holds a bounded number of them.

Results come in the file's order, so all that a case came to comes together.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from promptuary.evaluation.reports.content import (
    Result,
    Run,
    candidate_names,
    count_changed,
    result_value,
    shown_comparisons,
    shown_metrics,
)

BINS = 20
CLUSTERS_LIMIT = 10_000


@dataclass(frozen=True)
class ComparedPair:
    """Two variants to look at side by side, and the metric to do it by."""

    candidate: str
    baseline: str
    metric: str


@dataclass(frozen=True)
class CaseRegression:
    """A case that got worse: how far, and a result of each side; of several repeats the one that shows it most."""

    pair: ComparedPair
    case: str
    drop: float
    candidate: Result
    baseline: Result


@dataclass
class RunningMean:
    """A mean that grows."""

    number: int = 0
    total: float = 0.0

    def add(self, one: float) -> None:
        """Take one more value in."""
        self.number += 1
        self.total += one

    @property
    def value(self) -> float:
        """The mean of what was taken in, which is at least one value."""
        return self.total / self.number


@dataclass
class Findings:
    """What a run's results show, one by one.

    Attributes:
        metric: the one that distribution and clusters are of.
        regressions: the cases that got worse by most, the worst first.
        results: some results, in the file's order; those without a pass come before all others.
        counted: how many results there are.
        distribution: by variant, how many cases have a mean in each of `BINS` equal parts of [0, 1].
        clusters: by cluster and variant, the mean over its cases.
    """

    metric: str
    regressions: Sequence[CaseRegression] = ()
    results: Sequence[Result] = ()
    counted: int = 0
    distribution: dict[str, list[int]] = field(default_factory=dict)
    clusters: dict[str, dict[str, RunningMean]] = field(default_factory=dict)


def collect_findings(run: Run, results: Iterable[Result], *, regressions: int = 5, rows: int = 0) -> Findings:
    """Go through a run's results once.

    Args:
        run: with its summary.
        results: in the file's order.
        regressions: how many of the cases that got worse are wanted.
        rows: how many results are wanted to be looked at.
    """
    summary = run["summary"]
    found = Findings(shown_metrics(summary)[0])
    pairs = _pairs(summary)
    about = candidate_names(run)
    worst: list[tuple[float, int, int, CaseRegression]] = []
    bad: list[tuple[int, Result]] = []
    good: list[tuple[int, Result]] = []
    for place, (case, together) in enumerate(groupby(results, key=lambda result: result["case"])):
        by_variant: dict[str, list[Result]] = {}
        for result in together:
            by_variant.setdefault(result["variant"], []).append(result)
            kept = bad if result["variant"] in about and not result["pass"] else good
            if len(kept) < rows:
                kept.append((found.counted, result))
            found.counted += 1
        _spread(found, by_variant)
        for number, pair in enumerate(pairs):
            one = _regression(pair, case, by_variant)
            if one is not None:
                heapq.heappush(worst, (one.drop, -place, -number, one))
                if len(worst) > regressions:
                    heapq.heappop(worst)
    found.regressions = [one for *_, one in sorted(worst, key=lambda entry: entry[:3], reverse=True)]
    found.results = [result for _, result in sorted([*bad, *good[: max(0, rows - len(bad))]], key=lambda entry: entry[0])]
    return found


def _pairs(summary: Mapping[str, Any]) -> list[ComparedPair]:
    """Give each pair of variants once, by the first of its metrics on which a case got worse."""
    found: dict[tuple[str, str], ComparedPair] = {}
    for one in shown_comparisons(summary):
        if count_changed(one, "worse"):
            sides = (one["candidate"], one["baseline"])
            found.setdefault(sides, ComparedPair(*sides, one["metric"]))
    return list(found.values())


def _spread(found: Findings, by_variant: Mapping[str, Sequence[Result]]) -> None:
    for variant, own in by_variant.items():
        known = [score for score in (result_value(result, found.metric) for result in own) if score is not None]
        if not known:
            continue
        mean = math.fsum(known) / len(known)
        bins = found.distribution.setdefault(variant, [0] * BINS)
        bins[min(BINS - 1, max(0, int(mean * BINS)))] += 1
        cluster = own[0].get("cluster")
        if cluster is not None and (cluster in found.clusters or len(found.clusters) < CLUSTERS_LIMIT):
            found.clusters.setdefault(cluster, {}).setdefault(variant, RunningMean()).add(mean)


def _regression(pair: ComparedPair, case: str, by_variant: Mapping[str, Sequence[Result]]) -> CaseRegression | None:
    def known(variant: str) -> list[tuple[float, Result]]:
        found = [(result_value(result, pair.metric), result) for result in by_variant.get(variant, ())]
        return [(score, result) for score, result in found if score is not None]

    ours, theirs = known(pair.candidate), known(pair.baseline)
    if not ours or not theirs:
        return None
    drop = math.fsum(score for score, _ in theirs) / len(theirs) - math.fsum(score for score, _ in ours) / len(ours)
    if drop <= 0:
        return None
    worst, best = min(ours, key=lambda one: one[0]), max(theirs, key=lambda one: one[0])
    return CaseRegression(pair, case, drop, worst[1], best[1])
