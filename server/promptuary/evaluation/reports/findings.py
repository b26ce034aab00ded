"""What reports show of single results, collected in one pass that keeps a bounded number of them.

Results come in the file's order, so all results of a case are adjacent.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from promptuary.evaluation.reports.content import shown_comparisons, shown_metrics
from promptuary.evaluation.reports.error_groups import ErrorGroup, ErrorGroups
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import Comparison, Summary

BINS = 20
CLUSTERS_LIMIT = 10_000


@dataclass(frozen=True)
class ComparedPair:
    """Two variants to show side by side, and the metric on which they are compared."""

    candidate: str
    baseline: str
    metric: str

    @classmethod
    def of(cls, comparison: Comparison) -> "ComparedPair":
        """Return the pair of a comparison."""
        return cls(comparison.candidate, comparison.baseline, comparison.metric)


@dataclass(frozen=True)
class CaseRegression:
    """A case that got worse: by how much, and a result of each side; of several repeats the one that shows it most."""

    pair: ComparedPair
    case: str
    drop: float
    candidate: ReportedResult
    baseline: ReportedResult


@dataclass
class RunningMean:
    """The weighted mean of the values that were added so far."""

    number: int = 0
    weight: float = 0.0
    total: float = 0.0

    def add(self, value: float, weight: float = 1.0) -> None:
        """Add a value with its weight, above 0."""
        self.number += 1
        self.weight += weight
        self.total += weight * value

    @property
    def value(self) -> float:
        """The mean, of at least one value."""
        return self.total / self.weight


@dataclass
class Findings:
    """What a run's single results show.

    Attributes:
        metric: the metric of the distribution and of the clusters.
        regressions: the cases that got worse by most, the worst first.
        results: some results, in the file's order; those without a pass have priority.
        counted: the number of all results.
        distribution: by variant, how many cases have a mean in each of `BINS` equal parts of [0, 1].
        clusters: by cluster and variant, the mean over its cases.
        errors: why results have no verdict, grouped.
    """

    metric: str
    regressions: Sequence[CaseRegression] = ()
    results: Sequence[ReportedResult] = ()
    counted: int = 0
    distribution: dict[str, list[int]] = field(default_factory=dict)
    clusters: dict[str, dict[str, RunningMean]] = field(default_factory=dict)
    errors: Sequence[ErrorGroup] = ()


class _WorstRegressions:
    """The regressions with the largest drops, at most `limit`; among equal drops, the earliest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[float, int, CaseRegression]] = []
        self._added = 0

    def add(self, regression: CaseRegression) -> None:
        """Add a regression, and drop the smallest one beyond the limit."""
        self._added += 1
        heapq.heappush(self._heap, (regression.drop, -self._added, regression))
        if len(self._heap) > self._limit:
            heapq.heappop(self._heap)

    def ranked(self) -> list[CaseRegression]:
        """Return the regressions, the worst first."""
        return [regression for *_, regression in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


class _ExampleResults:
    """The first results, at most `limit`; those of candidates without a pass have priority."""

    def __init__(self, limit: int, candidates: frozenset[str]) -> None:
        self._limit = limit
        self._candidates = candidates
        self._failed: list[tuple[int, ReportedResult]] = []
        self._others: list[tuple[int, ReportedResult]] = []

    def add(self, position: int, result: ReportedResult) -> None:
        """Add a result at its position in the file's order."""
        failed = result.variant in self._candidates and not result.passed
        results = self._failed if failed else self._others
        if len(results) < self._limit:
            results.append((position, result))

    def ordered(self) -> list[ReportedResult]:
        """Return the results in the file's order."""
        others = self._others[: max(0, self._limit - len(self._failed))]
        return [result for _, result in sorted([*self._failed, *others], key=lambda entry: entry[0])]


def collect_findings(
    run: ReportedRun, summary: Summary, results: Iterable[ReportedResult], *, regressions: int = 5, rows: int = 0
) -> Findings:
    """Collect what the reports show of a run's results, in one pass.

    Args:
        run: the run.
        summary: of the run.
        results: in the file's order.
        regressions: the largest number of cases that got worse.
        rows: the largest number of results.
    """
    findings = Findings(shown_metrics(summary)[0])
    pairs = _pairs(summary)
    worst = _WorstRegressions(regressions)
    examples = _ExampleResults(rows, run.candidates)
    errors = ErrorGroups()
    for case, case_results in groupby(results, key=lambda result: result.case):
        by_variant: dict[str, list[ReportedResult]] = {}
        for result in case_results:
            by_variant.setdefault(result.variant, []).append(result)
            examples.add(findings.counted, result)
            errors.add(result)
            findings.counted += 1
        _add_case_means(findings, by_variant)
        for pair in pairs:
            regression = _regression(pair, case, by_variant)
            if regression is not None:
                worst.add(regression)
    findings.regressions = worst.ranked()
    findings.results = examples.ordered()
    findings.errors = errors.ranked()
    return findings


def _pairs(summary: Summary) -> list[ComparedPair]:
    """Return each pair of variants once, on the first of its metrics on which a case got worse."""
    pairs: dict[tuple[str, str], ComparedPair] = {}
    for comparison, _ in shown_comparisons(summary):
        if comparison.worse_count:
            pairs.setdefault((comparison.candidate, comparison.baseline), ComparedPair.of(comparison))
    return list(pairs.values())


def _add_case_means(findings: Findings, by_variant: Mapping[str, Sequence[ReportedResult]]) -> None:
    """Add a case's mean under each variant to the distribution and to the case's cluster."""
    for variant, results in by_variant.items():
        scores = [score for score in (result.value(findings.metric) for result in results) if score is not None]
        if not scores:
            continue
        mean = math.fsum(scores) / len(scores)
        bins = findings.distribution.setdefault(variant, [0] * BINS)
        bins[min(BINS - 1, max(0, int(mean * BINS)))] += 1
        cluster = results[0].cluster
        if cluster is not None and (cluster in findings.clusters or len(findings.clusters) < CLUSTERS_LIMIT):
            findings.clusters.setdefault(cluster, {}).setdefault(variant, RunningMean()).add(mean, results[0].weight)


def _regression(pair: ComparedPair, case: str, by_variant: Mapping[str, Sequence[ReportedResult]]) -> CaseRegression | None:
    """Return the regression of a case under a pair; None where it did not get worse, or a side has no score."""
    candidate, baseline = (_scored(by_variant.get(name, ()), pair.metric) for name in (pair.candidate, pair.baseline))
    if not candidate or not baseline:
        return None
    drop = _mean(baseline) - _mean(candidate)
    if drop <= 0:
        return None
    lowest = min(candidate, key=lambda scored: scored[0])
    highest = max(baseline, key=lambda scored: scored[0])
    return CaseRegression(pair, case, drop, lowest[1], highest[1])


def _scored(results: Iterable[ReportedResult], metric: str) -> list[tuple[float, ReportedResult]]:
    """Return the results that have a score on a metric, each after it."""
    values = ((result.value(metric), result) for result in results)
    return [(score, result) for score, result in values if score is not None]


def _mean(scored: Sequence[tuple[float, ReportedResult]]) -> float:
    return math.fsum(score for score, _ in scored) / len(scored)
