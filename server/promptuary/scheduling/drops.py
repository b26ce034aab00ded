"""Drops of a scheduled run against the schedule's own history. Pure.

A run is compared with the last runs of its schedule under the same model, with the same suite and the same cases: for each
case, its score in this run with its mean score in the history, paired, with the dataset's clusters. An alert is raised where
the upper bound of the difference is below −margin at 95 %. Among several metrics and models, Holm's step-down procedure
decides, so of the runs that are no worse than their history at most one in forty raises any alert. A suite that runs daily
without a margin therefore gives a false alarm about every forty days, and fewer with a larger margin.

A lasting drop raises one alert: after an alert, the history of its metric restarts with the run that raised it, and later runs
are compared with that level. A further drop, and a drop after a recovery, raise another. Like any history, the restarted one
decides only with two runs, so the run just after an alert raises none on the same metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.evaluation.verdict.comparison import (
    CONFIDENCE_LEVEL,
    PairedScores,
    SamplingDesign,
    difference_interval,
)
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean import repeat_means
from promptuary.statistics.paired import holm_step_down
from promptuary.statistics.verdict import Verdict, non_inferiority_verdict

HISTORY_RUNS, MIN_HISTORY_RUNS = 5, 2


@dataclass(frozen=True)
class MonitoredMetric:
    """One metric under one model.

    Attributes:
        model: the model's name.
        metric: the metric's name.
        now: each case's score in this run, by the case's id.
        history: each case's score in each run of the history.
    """

    model: str
    metric: str
    now: Mapping[str, float]
    history: Sequence[Mapping[str, float]]

    @property
    def before(self) -> dict[str, float]:
        """Each case's mean over the runs of the history in which it has a score."""
        scores: dict[str, list[float]] = {}
        for run in self.history:
            for case, score in run.items():
                scores.setdefault(case, []).append(score)
        return repeat_means(scores)

    @property
    def pair(self) -> PairedScores:
        """This run's scores beside those of the history."""
        return PairedScores(self.now, self.before)

    @property
    def is_comparable(self) -> bool:
        """Whether the history is long enough, and shares a case with this run."""
        return len(self.history) >= MIN_HISTORY_RUNS and any(case in self.now for scores in self.history for case in scores)

    def difference(self, design: SamplingDesign, level: float = CONFIDENCE_LEVEL) -> Interval:
        """Compute the interval of now − before over the cases with a score in both."""
        return difference_interval(self.pair, design, level)


@dataclass(frozen=True)
class MetricDrop:
    """A drop beyond the margin.

    Attributes:
        monitored: the metric that dropped.
        interval: of now − before.
        now: the mean in this run over the compared cases.
        before: the mean in the history over the same cases.
    """

    monitored: MonitoredMetric
    interval: Interval
    now: float
    before: float

    def sentence(self, schedule: str, margin: float, version_note: str = "") -> str:
        """Return the drop as a sentence for people, with a note at its end."""
        monitored, interval = self.monitored, self.interval
        under = f" under {monitored.model}" if monitored.model else ""
        bound = _format(-margin or 0.0)  # no −0.000
        return (
            f"{monitored.metric}{under} dropped to {_format(self.now)} from {_format(self.before)} in the last "
            f"{len(monitored.history)} runs of '{schedule}': difference {_format(interval.estimate)}, "
            f"{interval.level:.0%} interval {_format(interval.low)} to {_format(interval.high)} over {interval.n} cases; "
            f"the upper bound is below {bound}{version_note}"
        )


def detect_drops(metrics: Sequence[MonitoredMetric], design: SamplingDesign, margin: float) -> list[MetricDrop]:
    """Return the metrics that dropped by more than the margin, judged together.

    Args:
        metrics: all metrics of a run under all of its models.
        design: how the cases were sampled.
        margin: the loss that raises no alert, ≥ 0.
    """
    comparable = [monitored for monitored in metrics if monitored.is_comparable]

    def is_drop(index: int, level: float) -> bool:
        return non_inferiority_verdict(comparable[index].difference(design, level), margin) is Verdict.REGRESSION

    rejected = holm_step_down(is_drop, len(comparable), CONFIDENCE_LEVEL)
    return [_drop(comparable[index], design) for index in sorted(rejected)]


def _drop(monitored: MonitoredMetric, design: SamplingDesign) -> MetricDrop:
    now, before = (sum(side) / len(side) for side in monitored.pair.sides)
    return MetricDrop(monitored, monitored.difference(design), now, before)


def _format(value: float) -> str:
    """Return a figure with three decimals and a true minus sign."""
    return f"{value:.3f}".replace("-", "−")
