"""Scores of one variant on one metric, and the paired difference of two variants on the same cases. Pure.

A case's score is the mean over its repeats; a result that is not known is left out and counted, never a zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from promptuary.evaluation.plan import Result, Variant
from promptuary.statistics.interval import Interval, mean_interval, repeat_means
from promptuary.statistics.paired import difference

LEVEL = 0.95
PASS, SCORE = "pass", "score"
Clusters = Mapping[str, str | None]


@dataclass(frozen=True)
class Scores:
    """One variant's scores on one metric: a mean a case, and how many results were left out."""

    means: Mapping[str, float]
    scored: int
    unscored: int


def scores_of(results: Sequence[Result], metric: str) -> Scores:
    """Average each case's repeats on a metric; what is not known is left out and counted, what a case is not asked is not."""
    known: dict[str, list[float]] = {}
    scored = unscored = 0
    for result in results:
        if not has(result, metric):
            continue
        value = value_of(result, metric)
        if value is None:
            unscored += 1
        else:
            scored += 1
            known.setdefault(result.case, []).append(value)
    return Scores(repeat_means(known), scored, unscored)


def has(result: Result, metric: str) -> bool:
    """Tell whether a result's case is asked for a metric: all are for the suite's, some for those of their own scorers."""
    return metric in result.metrics or metric in (PASS, SCORE)


def comparison(
    candidate: Variant, baseline: Variant, metric: str, ours: Scores, theirs: Scores, clusters: Clusters
) -> dict[str, Any]:
    """Give the paired difference candidate − baseline on the cases that both were scored on, and which cases changed most."""
    shared = [case for case in ours.means if case in theirs.means]
    change = {case: ours.means[case] - theirs.means[case] for case in shared}
    return {
        "model": candidate.model,
        "candidate": candidate.name,
        "baseline": baseline.name,
        "metric": metric,
        "interval": asdict(difference_of(shared, ours, theirs, clusters)) if shared else None,
        "cases": len(shared),
        "unpaired": len(ours.means) + len(theirs.means) - 2 * len(shared),
        "better": [case for case in shared if change[case] > 0],
        "worse": [case for case in shared if change[case] < 0],
    }


def value_of(result: Result, metric: str) -> float | None:
    """Give a result's value on a metric, in [0, 1]; None where it is not known."""
    if metric in result.metrics:
        return result.metrics[metric]
    if metric == PASS:
        return None if result.passed is None else float(result.passed)
    return result.score if metric == SCORE else None


def mean_of(scores: Scores, clusters: Clusters, level: float = LEVEL) -> Interval:
    """Give the interval of the mean over cases."""
    return mean_interval(list(scores.means.values()), clusters=_clusters(scores.means, clusters), level=level)


def difference_of(shared: Sequence[str], ours: Scores, theirs: Scores, clusters: Clusters, level: float = LEVEL) -> Interval:
    """Give the interval of candidate − baseline on the cases that both were scored on."""
    sides = [ours.means[case] for case in shared], [theirs.means[case] for case in shared]
    return difference(*sides, clusters=_clusters(shared, clusters), level=level)


def _clusters(names: Mapping[str, float] | Sequence[str], clusters: Clusters) -> list[str | None] | None:
    """The cluster of each case, or None where no case has one."""
    found = [clusters.get(name) for name in names]
    return found if any(cluster is not None for cluster in found) else None
