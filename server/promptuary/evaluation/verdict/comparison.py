"""Scores of one variant on one metric, and the paired difference of two variants on the same cases. Pure.

A case's score is the mean over its repeats; a result that is not known is left out and counted, never a zero.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptuary.evaluation.plan import PASS, SCORE, CaseResult, ResultFigures, Variant
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.statistics.bootstrap import cluster_bootstrap
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean import repeat_means
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.paired import holm_adjusted, mcnemar_exact, paired_difference

CONFIDENCE_LEVEL = 0.95
FEW_CLUSTERS = 15
SEED = 20_240_229  # of the bootstrap's draws: the same scores give the same interval, whoever computes it
CaseClusters = Mapping[str, str | None]


@dataclass(frozen=True)
class MetricScores:
    """One variant's scores on one metric: a mean a case, and how many results were left out."""

    means: Mapping[str, float]
    scored: int
    unscored: int


def scores_of(results: Sequence[CaseResult], metric: str) -> MetricScores:
    """Average each case's repeats on a metric; what is not known is left out and counted, what a case is not asked is not."""
    known: dict[str, list[float]] = {}
    scored = unscored = 0
    for result in results:
        if not has(result, metric):
            continue
        value = metric_value(result, metric)
        if value is None:
            unscored += 1
        else:
            scored += 1
            known.setdefault(result.case, []).append(value)
    return MetricScores(repeat_means(known), scored, unscored)


def has(result: CaseResult, metric: str) -> bool:
    """Tell whether a result's case is asked for a metric: all are for the suite's, some for those of their own scorers."""
    return metric in result.metrics or metric in (PASS, SCORE)


def compare_variants(
    candidate: Variant,
    baseline: Variant,
    metric: str,
    ours: MetricScores,
    theirs: MetricScores,
    clusters: CaseClusters,
    order: CaseOrder | None = None,
) -> dict[str, Any]:
    """Give the paired difference candidate − baseline on the cases that both were scored on, and which cases changed most."""
    shared = [case for case in ours.means if case in theirs.means]
    change = {case: ours.means[case] - theirs.means[case] for case in shared}
    return {
        "model": candidate.model,
        "candidate": candidate.name,
        "baseline": baseline.name,
        "metric": metric,
        "interval": asdict(difference_interval(shared, ours, theirs, clusters, order=order)) if shared else None,
        "p_value": None if order else difference_p_value(shared, ours, theirs, clusters),
        "cases": len(shared),
        "unpaired": len(ours.means) + len(theirs.means) - 2 * len(shared),
        "better": [case for case in shared if change[case] > 0],
        "worse": [case for case in shared if change[case] < 0],
    }


def with_adjusted_p_values(comparisons: Sequence[dict[str, Any]], gated: Collection[str]) -> list[dict[str, Any]]:
    """Give the comparisons with `adjusted`: Holm's p-values over the gate's metrics of one candidate and one baseline."""
    family: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(comparisons):
        if one["p_value"] is not None and one["metric"] in gated:
            family.setdefault((one["candidate"], one["baseline"]), []).append(place)
    corrected = {
        place: value
        for places in family.values()
        for place, value in zip(places, holm_adjusted([comparisons[place]["p_value"] for place in places]), strict=True)
    }
    return [{**one, "adjusted": corrected.get(place)} for place, one in enumerate(comparisons)]


def metric_value(result: CaseResult | ResultFigures, metric: str) -> float | None:
    """Give a result's value on a metric, in [0, 1]; None where it is not known."""
    if metric in result.metrics:
        return result.metrics[metric]
    if metric == PASS:
        return None if result.passed is None else float(result.passed)
    return result.score if metric == SCORE else None


def metric_interval(
    scores: MetricScores, clusters: CaseClusters, level: float = CONFIDENCE_LEVEL, order: CaseOrder | None = None
) -> Interval:
    """Give the interval of the mean over cases; with few clusters, that of the cluster bootstrap.

    With an order, the mean is over its units and the interval is valid at every look.
    """
    if order is not None and (valid := order.interval(scores.means, level)) is not None:
        return valid
    values, codes = list(scores.means.values()), _clusters(scores.means, clusters)
    found = mean_interval(values, clusters=codes, level=level)
    if found.method != "cluster-robust" or not _few(found):
        return found
    return cluster_bootstrap(values, clusters=codes, level=level, seed=SEED)


def difference_interval(
    shared: Sequence[str],
    ours: MetricScores,
    theirs: MetricScores,
    clusters: CaseClusters,
    level: float = CONFIDENCE_LEVEL,
    order: CaseOrder | None = None,
) -> Interval:
    """Give the interval of candidate − baseline on the cases that both were scored on; otherwise as `metric_interval`."""
    if order is not None:
        valid = order.interval({case: ours.means[case] - theirs.means[case] for case in shared}, level, -1.0)
        if valid is not None:
            return valid
    sides = [ours.means[case] for case in shared], [theirs.means[case] for case in shared]
    codes = _clusters(shared, clusters)
    found = paired_difference(*sides, clusters=codes, level=level)
    if found.method != "paired-cluster-robust" or not _few(found):
        return found
    changes = [one - other for one, other in zip(*sides, strict=True)]
    drawn = cluster_bootstrap(changes, clusters=codes, level=level, seed=SEED, bounds=(-1.0, 1.0))
    return replace(drawn, method="paired-cluster-bootstrap")


def difference_p_value(shared: Sequence[str], ours: MetricScores, theirs: MetricScores, clusters: CaseClusters) -> float | None:
    """Give McNemar's exact p-value that gains and losses are equally likely; None but for scores of 0 or 1 without clusters."""
    sides = [ours.means[case] for case in shared], [theirs.means[case] for case in shared]
    if (
        not shared
        or _clusters(shared, clusters) is not None
        or not all(value in (0.0, 1.0) for side in sides for value in side)
    ):
        return None
    return mcnemar_exact(*sides)


def _few(interval: Interval) -> bool:
    """Whether ± t · error is too symmetric for so few clusters."""
    return interval.clusters is not None and interval.clusters < FEW_CLUSTERS


def _clusters(names: Mapping[str, float] | Sequence[str], clusters: CaseClusters) -> list[str | None] | None:
    """The cluster of each case, or None where no case has one."""
    found = [clusters.get(name) for name in names]
    return found if any(cluster is not None for cluster in found) else None
