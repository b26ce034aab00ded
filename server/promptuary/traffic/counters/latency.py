"""Histograms of latencies: counts in buckets of fixed bounds, so that hours and series are added up. Pure."""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOUNDS_MS: tuple[float, ...] = (*(round(2 ** (step / 2), 3) for step in range(39)), 600_000.0)
"""The upper bounds of the buckets in milliseconds, inclusive: from 1 ms to 10 minutes, each √2 times the one before.

One more bucket contains what is longer than the last.
"""
BUCKETS = len(BOUNDS_MS) + 1


def bucket_of(latency_ms: float) -> int:
    """Return the number of the bucket that a latency belongs to."""
    return bisect_left(BOUNDS_MS, latency_ms)


@dataclass(frozen=True)
class LatencyHistogram:
    """The counts of the buckets, one for each."""

    counts: Sequence[int] = (0,) * BUCKETS

    @classmethod
    def of(cls, latencies_ms: Iterable[float]) -> "LatencyHistogram":
        """Return the histogram of some latencies."""
        counts = [0] * BUCKETS
        for latency in latencies_ms:
            counts[bucket_of(latency)] += 1
        return cls(tuple(counts))

    @classmethod
    def parse(cls, stored: str) -> "LatencyHistogram":
        """Return a histogram as a counter's row stores it; an empty text is one without any call."""
        counts = [0] * BUCKETS
        for bucket, count in json.loads(stored or "{}").items():
            counts[int(bucket)] = count
        return cls(tuple(counts))

    @classmethod
    def parse_sum(cls, stored: str) -> "LatencyHistogram":
        """Return the sum of histograms as counters' rows store them, joined by commas; thousands of them at once.

        Equal members such as `"12":3` are counted first, so that each is parsed once: a quarter of the time of `json.loads`.
        """
        counts = [0] * BUCKETS
        members = Counter(stored.replace("{", "").replace("}", "").split(",")) if stored else {}
        for member, times in members.items():
            bucket, _, count = member.partition(":")
            counts[int(bucket.strip('"'))] += int(count) * times
        return cls(tuple(counts))

    def format(self) -> str:
        """Return the histogram as it is stored: the buckets that are not empty, as JSON."""
        filled = {str(bucket): count for bucket, count in enumerate(self.counts) if count}
        return json.dumps(filled, separators=(",", ":")) if filled else ""

    @property
    def total(self) -> int:
        """The number of calls in it."""
        return sum(self.counts)

    def __add__(self, other: "LatencyHistogram") -> "LatencyHistogram":
        """Return the histogram of the calls of both."""
        return LatencyHistogram(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def __sub__(self, other: "LatencyHistogram") -> "LatencyHistogram":
        """Return the histogram without the calls of another one."""
        return LatencyHistogram(tuple(a - b for a, b in zip(self.counts, other.counts, strict=True)))

    def quantile(self, share: float) -> float | None:
        """Return the latency in milliseconds below which a share of the calls is; None without a call.

        Inside a bucket the calls are taken to be spread evenly, as Prometheus' `histogram_quantile` does; of calls beyond
        the last bound, that bound is returned.

        Args:
            share: from 0 to 1.
        """
        total = self.total
        if not total:
            return None
        rank, below = share * total, 0
        for bucket, count in enumerate(self.counts[:-1]):
            if count and below + count >= rank:
                lower = BOUNDS_MS[bucket - 1] if bucket else 0.0
                return lower + (BOUNDS_MS[bucket] - lower) * max(0.0, rank - below) / count
            below += count
        return BOUNDS_MS[-1]
