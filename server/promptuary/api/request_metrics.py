"""How many requests this process has answered since its start, with which status, and how fast.

Lookups on the fast path are not counted here, so that they do no work for it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

BUCKET_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the histogram's buckets, in seconds."""
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class RequestHistogram:
    """The requests of one method, route and status: how many in each bucket, and the sum of their seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_BOUNDS) + 1))
    seconds: float = 0.0


class RequestMetrics:
    """The histograms of a process; routes have few templates, so there are few histograms."""

    def __init__(self) -> None:
        """Start without any request."""
        self._histograms: dict[tuple[str, str, int], RequestHistogram] = {}

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: as received; methods that HTTP does not define are counted together.
            route: the template of the path; None where no route matches.
            status: of the response.
            seconds: until the response began.
        """
        key = (method if method in _METHODS else OTHER, route or OTHER, status)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = RequestHistogram()
        histogram.buckets[bisect_left(BUCKET_BOUNDS, seconds)] += 1
        histogram.seconds += seconds

    def __iter__(self) -> Iterator[tuple[tuple[str, str, int], RequestHistogram]]:
        """Return an iterator over what was counted until now."""
        return iter(list(self._histograms.items()))
