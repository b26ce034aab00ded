"""The figures of a group of calls, from the sums of its counters. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from promptuary.statistics import quantile
from promptuary.traffic.counters.latency import LatencyHistogram
from promptuary.traffic.figures.dimension import Dimension

LEVEL = 0.95


@dataclass(frozen=True)
class TrafficSums:
    """The sums of the counters of a group of calls; the fields are those of `HourRow`."""

    calls: int = 0
    errors: int = 0
    incomplete: int = 0
    replayable: int = 0
    token_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_calls: int = 0
    cost: float = 0.0
    latency_calls: int = 0
    latency_ms: float = 0.0
    redacted: int = 0
    feedback: int = 0
    feedback_sum: float = 0.0
    feedback_low: int = 0
    latencies: LatencyHistogram = field(default_factory=LatencyHistogram)

    def __add__(self, other: "TrafficSums") -> "TrafficSums":
        """Return the sums of the calls of both."""
        return TrafficSums(**{name: value + getattr(other, name) for name, value in vars(self).items()})


SUM_NAMES = tuple(each.name for each in fields(TrafficSums) if each.name != "latencies")
"""The columns that are added up."""


@dataclass(frozen=True)
class TrafficShare:
    """A share of calls, or a mean from 0 to 1, with its 95 % interval by Wilson's formula over `count` values.

    For values between 0 and 1 the interval is at least as wide as theirs: no values in [0, 1] with this mean have a larger
    variance than zeros and ones (Bhatia and Davis, Amer. Math. Monthly 107, 2000).
    """

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, total: float, count: int) -> "TrafficShare | None":
        """Return the share of a total of `count` values from 0 to 1; None without a value."""
        from promptuary.statistics.mean_interval import wilson_interval  # loads numpy

        if count <= 0:
            return None
        bounded = min(max(total, 0.0), float(count))
        low, high = wilson_interval(bounded, count, quantile.normal(LEVEL))
        return cls(bounded / count, low, high, count)


@dataclass(frozen=True)
class TrafficGroup:
    """A group of calls: what they have in common by dimension, and their sums."""

    values: Mapping[Dimension, Any]
    sums: TrafficSums


def merge(groups: Iterable[TrafficGroup], by: Iterable[Dimension]) -> list[TrafficGroup]:
    """Return the groups that remain when calls are divided by fewer dimensions, in the order of their first group."""
    dimensions = tuple(by)
    merged: dict[tuple[Any, ...], TrafficSums] = {}
    for group in groups:
        key = tuple(group.values.get(dimension) for dimension in dimensions)
        sums = merged.get(key)
        merged[key] = group.sums if sums is None else sums + group.sums
    return [TrafficGroup(dict(zip(dimensions, key, strict=True)), sums) for key, sums in merged.items()]
