"""The figures of two versions, with intervals of their differences. Pure.

Calls of two versions are different calls, so that their difference is one of independent estimates. Counters contain all calls;
online scores are those of sampled calls, weighted by what each stands for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from promptuary.statistics import quantile
from promptuary.statistics.independent import Bounds, independent_difference
from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import wilson_interval
from promptuary.traffic.figures.figures import LEVEL, TrafficShare, TrafficSums

QUANTILES = (0.5, 0.95, 0.99)


class Direction(StrEnum):
    """Which values of a figure are good."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


class Finding(StrEnum):
    """What the interval of a difference shows of the candidate."""

    WORSE = "worse"
    BETTER = "better"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class ComparedFigure:
    """A figure of both versions.

    Attributes:
        name: such as `errors` or `score:polite`.
        better: which values are good.
        baseline: the estimate of the baseline; None without a call that reports it.
        candidate: that of the candidate.
        difference: candidate - baseline with its 95 % interval; None where one is not known, or has no interval.
    """

    name: str
    better: Direction
    baseline: float | None
    candidate: float | None
    difference: Bounds | None = None

    @property
    def finding(self) -> Finding | None:
        """Whether the interval excludes that both are equal, and on which side; None without an interval."""
        if self.difference is None or self.better is Direction.NEITHER:
            return None
        if self.difference.low <= 0 <= self.difference.high:
            return Finding.UNCLEAR
        is_higher = self.difference.low > 0
        return Finding.BETTER if is_higher == (self.better is Direction.HIGHER) else Finding.WORSE


@dataclass(frozen=True)
class VersionFigures:
    """What is known of a version: the sums of its counters, and its online scores by scorer."""

    sums: TrafficSums
    scores: Mapping[str, Interval]


def compare_figures(baseline: VersionFigures, candidate: VersionFigures) -> list[ComparedFigure]:
    """Return the figures of both versions, in a fixed order, and then their online scores by scorer."""
    figures = [ComparedFigure("calls", Direction.NEITHER, baseline.sums.calls, candidate.sums.calls)]
    for name, better, read in _BOUNDED:
        figures.append(_compared(name, better, read(baseline.sums), read(candidate.sums)))
    for name, better, read_mean in _MEANS:
        figures.append(ComparedFigure(name, better, read_mean(baseline.sums), read_mean(candidate.sums)))
    for scorer in sorted({*baseline.scores, *candidate.scores}):
        sides = [_interval_bounds(version.scores.get(scorer)) for version in (baseline, candidate)]
        figures.append(_compared(f"score:{scorer}", Direction.HIGHER, *sides))
    return figures


def _compared(name: str, better: Direction, baseline: Bounds | None, candidate: Bounds | None) -> ComparedFigure:
    difference = independent_difference(candidate, baseline) if baseline is not None and candidate is not None else None
    first, second = (None if side is None else side.estimate for side in (baseline, candidate))
    return ComparedFigure(name, better, first, second, difference)


def _share(total: float, count: int) -> Bounds | None:
    share = TrafficShare.of(total, count)
    return None if share is None else Bounds(share.value, share.low, share.high)


def _latency(sums: TrafficSums, share: float) -> Bounds | None:
    """Return a quantile of latency in milliseconds, between those at the ends of Wilson's interval of its share."""
    histogram = sums.latencies
    estimate = histogram.quantile(share)
    if estimate is None:
        return None
    ends = wilson_interval(share * histogram.total, histogram.total, quantile.normal(LEVEL))
    low, high = (histogram.quantile(end) or 0.0 for end in ends)
    return Bounds(estimate, low, high)


def _interval_bounds(interval: Interval | None) -> Bounds | None:
    return None if interval is None else Bounds(interval.estimate, interval.low, interval.high)


def _bounded_figures() -> Iterator[tuple[str, Direction, Callable[[TrafficSums], Bounds | None]]]:
    yield "errors", Direction.LOWER, lambda sums: _share(sums.errors, sums.calls)
    yield "incomplete", Direction.LOWER, lambda sums: _share(sums.incomplete, sums.calls)
    for share in QUANTILES:
        yield f"latency_p{share * 100:g}_ms", Direction.LOWER, lambda sums, share=share: _latency(sums, share)  # type: ignore[misc]  # bound now
    yield "feedback", Direction.HIGHER, lambda sums: _share(sums.feedback_sum, sums.feedback)
    yield "low_feedback", Direction.LOWER, lambda sums: _share(sums.feedback_low, sums.feedback)


_BOUNDED = tuple(_bounded_figures())
_MEANS: tuple[tuple[str, Direction, Callable[[TrafficSums], float | None]], ...] = (
    ("input_tokens", Direction.LOWER, lambda sums: sums.input_tokens / sums.token_calls if sums.token_calls else None),
    ("output_tokens", Direction.LOWER, lambda sums: sums.output_tokens / sums.token_calls if sums.token_calls else None),
    ("cost_usd", Direction.LOWER, lambda sums: sums.cost / sums.cost_calls if sums.cost_calls else None),
)
