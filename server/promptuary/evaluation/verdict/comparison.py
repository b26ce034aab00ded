"""The scores of a variant on a metric, and the paired difference of two variants on the same cases. Pure.

A case's score is the mean over its repeats. A result without a value is left out and counted; it is never a zero.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from promptuary.evaluation.plan import PASS, SCORE, CaseResult, ResultFigures, Variant
from promptuary.evaluation.summary_model import Comparison, IntervalFigures
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.statistics.bootstrap import cluster_bootstrap
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.paired import holm_adjusted, mcnemar_exact, paired_difference
from promptuary.statistics.weighted import is_even, weighted_difference, weighted_mean

CONFIDENCE_LEVEL = 0.95
FEW_CLUSTERS = 15
"""Below this number of clusters, an interval of the form ± t · error is too symmetric; the bootstrap replaces it."""
SEED = 20_240_229
"""The seed of the bootstrap, so that the same scores always give the same interval."""
LISTED_CASES_LIMIT = 1000
"""The most cases that a comparison lists as better, and as worse."""
CaseClusters = Mapping[str, str | None]
"""The cluster of each case by the case's id; None, or no entry, for an independent case."""


@dataclass(frozen=True)
class MetricScores:
    """The scores of one variant on one metric.

    Attributes:
        means: each case's mean over its repeats, in [0, 1], by the case's id.
        scored: the number of results with a value.
        unscored: the number of results without one.
    """

    means: Mapping[str, float]
    scored: int
    unscored: int


@dataclass(frozen=True)
class SamplingDesign:
    """How the cases were sampled, which decides the formula of an interval.

    Attributes:
        clusters: the cluster of each case.
        order: the cases' order in a run that may stop early, as far as it is complete; then every interval is valid at each
            interim analysis.
        weights: how many cases each case stands for; 1 for one without an entry.
    """

    clusters: CaseClusters = field(default_factory=dict)
    order: CaseOrder | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def cluster_codes(self, cases: Collection[str]) -> list[str | None] | None:
        """Return the cluster of each case, or None where all cases are independent."""
        codes = [self.clusters.get(case) for case in cases]
        return codes if any(cluster is not None for cluster in codes) else None

    def case_weights(self, cases: Collection[str]) -> list[float] | None:
        """Return the weight of each case, or None where all weigh the same."""
        weights = [self.weights.get(case, 1.0) for case in cases] if self.weights else []
        return None if not weights or is_even(weights) else weights


@dataclass(frozen=True)
class PairedScores:
    """Two variants' scores on one metric, by the case's id."""

    candidate: Mapping[str, float]
    baseline: Mapping[str, float]

    @cached_property
    def cases(self) -> tuple[str, ...]:
        """The cases with a score on both sides, in the candidate's order."""
        return tuple(case for case in self.candidate if case in self.baseline)

    @cached_property
    def differences(self) -> dict[str, float]:
        """Candidate − baseline for each case of `cases`, in [-1, 1]."""
        return {case: self.candidate[case] - self.baseline[case] for case in self.cases}

    @property
    def unpaired(self) -> int:
        """The number of cases with a score on one side only."""
        return len(self.candidate) + len(self.baseline) - 2 * len(self.cases)

    @property
    def sides(self) -> tuple[list[float], list[float]]:
        """The candidate's and the baseline's scores on `cases`."""
        return [self.candidate[case] for case in self.cases], [self.baseline[case] for case in self.cases]


def metric_value(result: CaseResult | ResultFigures, metric: str) -> float | None:
    """Return a result's value on a metric, clipped to [0, 1]; None where it is not known."""
    if metric == PASS and metric not in result.metrics:
        return None if result.passed is None else float(result.passed)
    value = result.metrics[metric] if metric in result.metrics else result.score if metric == SCORE else None
    return None if value is None else min(1.0, max(0.0, value))


def metric_interval(scores: MetricScores, design: SamplingDesign, level: float = CONFIDENCE_LEVEL) -> Interval:
    """Compute the interval of the mean over cases.

    With few clusters, it is that of the cluster bootstrap. In a run that may stop early, the mean is over units of the order.
    Where cases have different weights, it is that of the weighted mean.

    Args:
        scores: with one case at least.
        design: how the cases were sampled.
        level: the two-sided confidence level.
    """
    if design.order is not None and (sequential := design.order.interval(scores.means, level)) is not None:
        return sequential
    values, codes = list(scores.means.values()), design.cluster_codes(scores.means)
    if (weights := design.case_weights(scores.means)) is not None:
        return weighted_mean(values, weights, clusters=codes, level=level)
    interval = mean_interval(values, clusters=codes, level=level)
    if interval.method != "cluster-robust" or not _has_few_clusters(interval):
        return interval
    return cluster_bootstrap(values, clusters=codes, level=level, seed=SEED)


def difference_interval(pair: PairedScores, design: SamplingDesign, level: float = CONFIDENCE_LEVEL) -> Interval:
    """Compute the interval of the mean of candidate − baseline over the paired cases, otherwise as `metric_interval`.

    Args:
        pair: with one paired case at least.
        design: how the cases were sampled.
        level: the two-sided confidence level.
    """
    if design.order is not None and (sequential := design.order.interval(pair.differences, level, -1.0)) is not None:
        return sequential
    codes = design.cluster_codes(pair.cases)
    if (weights := design.case_weights(pair.cases)) is not None:
        return weighted_difference(*pair.sides, weights, clusters=codes, level=level)
    interval = paired_difference(*pair.sides, clusters=codes, level=level)
    if interval.method != "paired-cluster-robust" or not _has_few_clusters(interval):
        return interval
    differences = list(pair.differences.values())
    resampled = cluster_bootstrap(differences, clusters=codes, level=level, seed=SEED, bounds=(-1.0, 1.0))
    return replace(resampled, method="paired-cluster-bootstrap")


def difference_p_value(pair: PairedScores, design: SamplingDesign) -> float | None:
    """Compute McNemar's exact p-value that gains and losses are equally likely.

    None for a run that may stop early, for clustered or weighted cases, and for scores other than 0 and 1.
    """
    sides = pair.sides
    if design.order is not None or not pair.cases or design.cluster_codes(pair.cases) is not None:
        return None
    if design.case_weights(pair.cases) is not None:
        return None
    if not all(value in (0.0, 1.0) for side in sides for value in side):
        return None
    return mcnemar_exact(*sides)


def compare_variants(
    candidate: Variant, baseline: Variant, metric: str, pair: PairedScores, design: SamplingDesign
) -> Comparison:
    """Compute the paired difference of two variants on a metric; `with_adjusted_p_values` adds the adjusted p-value."""
    better = [case for case, change in pair.differences.items() if change > 0]
    worse = [case for case, change in pair.differences.items() if change < 0]
    return Comparison(
        model=candidate.model,
        candidate=candidate.name,
        baseline=baseline.name,
        metric=metric,
        interval=IntervalFigures.model_validate(difference_interval(pair, design)) if pair.cases else None,
        p_value=difference_p_value(pair, design),
        cases=len(pair.cases),
        unpaired=pair.unpaired,
        better=tuple(better[:LISTED_CASES_LIMIT]),
        worse=tuple(worse[:LISTED_CASES_LIMIT]),
        better_in_all=len(better) if len(better) > LISTED_CASES_LIMIT else None,
        worse_in_all=len(worse) if len(worse) > LISTED_CASES_LIMIT else None,
    )


def with_adjusted_p_values(comparisons: Sequence[Comparison], gated_metrics: Collection[str]) -> list[Comparison]:
    """Return the comparisons with Holm's adjusted p-values.

    A family of tests is one candidate with one baseline, over the metrics that the gate names.
    """
    families: dict[tuple[str, str], list[int]] = {}
    for index, comparison in enumerate(comparisons):
        if comparison.p_value is not None and comparison.metric in gated_metrics:
            families.setdefault((comparison.candidate, comparison.baseline), []).append(index)
    adjusted: dict[int, float] = {}
    for indexes in families.values():
        p_values = [p_value for index in indexes if (p_value := comparisons[index].p_value) is not None]
        adjusted |= dict(zip(indexes, holm_adjusted(p_values), strict=True))
    return [comparison.model_copy(update={"adjusted": adjusted.get(index)}) for index, comparison in enumerate(comparisons)]


def _has_few_clusters(interval: Interval) -> bool:
    return interval.clusters is not None and interval.clusters < FEW_CLUSTERS
