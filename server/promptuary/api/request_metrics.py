"""How many requests were answered, how, and how fast; of this process, since it started.

Lookups that memory answers go past it: they are counted by nobody, and cost nothing for it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

BUCKET_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the upper ends of the histogram's parts."""
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class RequestHistogram:
    """The requests of one method, route and status: how many in each part of the histogram, and their seconds together."""

    parts: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_BOUNDS) + 1))
    seconds: float = 0.0


class RequestMetrics:
    """Counts; the routes' templates are few, so the counters are, too."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counted: dict[tuple[str, str, int], RequestHistogram] = {}

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: as it came; one that HTTP does not have is counted with others of its kind.
            route: the template of the path; None where the path is none.
            status: of the answer.
            seconds: until the answer began.
        """
        place = (method if method in _METHODS else OTHER, route or OTHER, status)
        counted = self._counted.get(place)
        if counted is None:
            counted = self._counted[place] = RequestHistogram()
        counted.parts[bisect_left(BUCKET_BOUNDS, seconds)] += 1
        counted.seconds += seconds

    def __iter__(self) -> Iterator[tuple[tuple[str, str, int], RequestHistogram]]:
        """Go through what was counted until now."""
        return iter(list(self._counted.items()))
