"""Drops of a scheduled run against the schedule's own history. Pure.

A run is held against the last runs of its schedule under the same model, with the same suite and the same cases: for each case
its score now against its mean score then, paired, with the dataset's clusters. An alert is raised where the upper bound of the
difference is below −margin at 95 %; among several metrics and models by Holm's step-down, so that of the runs that are no worse
than their history at most one in forty raises any. So a suite that runs daily without a margin gives a false alarm every forty
days or so, and fewer the larger the margin is.

A drop that stays is told once: after an alert the history of its metric begins anew with the run that raised it, whose level
is what later runs are held against. A further drop, and one after a recovery, are told again. As any history it speaks only
once it has two runs, so that the run just after an alert raises none on the same metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import CONFIDENCE_LEVEL, CaseClusters, MetricScores, difference_interval
from promptuary.statistics.interval import Interval
from promptuary.statistics.paired import holm_step_down
from promptuary.statistics.verdict import Verdict, non_inferiority_verdict

HISTORY_RUNS, MIN_HISTORY_RUNS = 5, 2


@dataclass(frozen=True)
class MonitoredMetric:
    """One metric under one model: each case's score in this run, and in each run of its history."""

    model: str
    metric: str
    now: Mapping[str, float]
    history: Sequence[Mapping[str, float]]

    @property
    def before(self) -> dict[str, float]:
        """Each case's mean over the runs of the history that it has a score in."""
        known: dict[str, list[float]] = {}
        for scores in self.history:
            for case, score in scores.items():
                known.setdefault(case, []).append(score)
        return {case: sum(scores) / len(scores) for case, scores in known.items()}

    @property
    def tells(self) -> bool:
        """Whether there is enough history to be held against, and cases that both have."""
        return len(self.history) >= MIN_HISTORY_RUNS and any(case in self.now for scores in self.history for case in scores)

    def difference(self, clusters: CaseClusters, level: float, order: CaseOrder | None = None) -> Interval:
        """Give the interval of now − before, over the cases that both have a score of."""
        before = self.before
        shared = [case for case in self.now if case in before]
        return difference_interval(shared, MetricScores(self.now, 0, 0), MetricScores(before, 0, 0), clusters, level, order)


@dataclass(frozen=True)
class MetricDrop:
    """A drop that is shown: of what, by how much, from where to where over the cases that are compared."""

    watched: MonitoredMetric
    interval: Interval
    now: float
    before: float

    def sentence(self, schedule: str, margin: float, changed: str = "") -> str:
        """Say it in a sentence for people."""
        watched, interval = self.watched, self.interval
        under = f" under {watched.model}" if watched.model else ""
        return (
            f"{watched.metric}{under} dropped to {_number(self.now)} from {_number(self.before)} in the last "
            f"{len(watched.history)} runs of '{schedule}': difference {_number(interval.estimate)}, "
            f"{interval.level:.0%} interval {_number(interval.low)} to {_number(interval.high)} over {interval.n} cases; "
            f"the upper bound is below {_number(-margin or 0.0)}{changed}"
        )


def detect_drops(
    watched: Sequence[MonitoredMetric], clusters: CaseClusters, margin: float, order: CaseOrder | None = None
) -> list[MetricDrop]:
    """Give what dropped by more than the margin, judged together.

    Args:
        watched: all metrics of a run under all of its models.
        clusters: the cluster of each case; None for a case that stands alone.
        margin: the loss that is borne, ≥ 0.
        order: of the cases of a run that may stop early: then the intervals are valid at every look.
    """
    asked = [one for one in watched if one.tells]

    def dropped(number: int, level: float) -> bool:
        return non_inferiority_verdict(asked[number].difference(clusters, level, order), margin) is Verdict.REGRESSION

    return [_drop(asked[number], clusters, order) for number in sorted(holm_step_down(dropped, len(asked), CONFIDENCE_LEVEL))]


def _drop(watched: MonitoredMetric, clusters: CaseClusters, order: CaseOrder | None) -> MetricDrop:
    before = watched.before
    shared = [case for case in watched.now if case in before]
    now, then = (sum(scores[case] for case in shared) / len(shared) for scores in (watched.now, before))
    return MetricDrop(watched, watched.difference(clusters, CONFIDENCE_LEVEL, order), now, then)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
