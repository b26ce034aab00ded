"""The order of a run that may stop early, and the intervals that stay valid however often one looks. Pure."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptuary.statistics.interval import Interval
from promptuary.statistics.sequential import confidence_sequence

FIRST_ANALYSIS, ANALYSIS_GROWTH = 10, 1.1


@dataclass(frozen=True)
class CaseOrder:
    """The cases of a run in the order in which they are done: whole clusters, shuffled once.

    Attributes:
        units: the ids of the cases that belong together, unit by unit; a case without a cluster is one of its own.
    """

    units: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, clusters: Mapping[str, str | None], seed: str) -> "CaseOrder":
        """Shuffle: the same cases and seed give the same order, so that a run that is gone on with keeps it.

        Args:
            clusters: the cluster of each case, in the file's order.
            seed: the run's id.
        """
        units: dict[tuple[str, str], list[str]] = {}
        for case, cluster in clusters.items():
            units.setdefault(("alone", case) if cluster is None else ("shared", cluster), []).append(case)
        shuffled = [tuple(unit) for unit in units.values()]
        random.Random(hashlib.sha256(seed.encode()).digest()).shuffle(shuffled)
        return cls(tuple(shuffled))

    def interval(self, values: Mapping[str, float], level: float, reach: float = 0.0) -> Interval | None:
        """Give the interval of the mean over units after those whose cases have a value, or None where there is none.

        Args:
            values: of the cases that are done, in [reach, 1].
            level: two-sided confidence, over all looks together.
            reach: the least that a value can be: 0 for a score, -1 for a difference.
        """
        known = [[values[case] for case in unit if case in values] for unit in self.units]
        means = [sum(own) / len(own) for own in known if own]
        if not means:
            return None
        bounds = (reach, 1.0)
        found = confidence_sequence(means, level=level, bounds=bounds, looks=interim_analyses(len(means)))[-1]
        return replace(found, n=sum(map(len, known)), clusters=len(means) if self.clustered else None)

    @property
    def clustered(self) -> bool:
        """Whether any cases belong together."""
        return any(len(unit) > 1 for unit in self.units)


def interim_analyses(count: int) -> list[int]:
    """Give the numbers of units after which one looks, up to and with `count`: ever further apart, for looks cost time."""
    at, found = float(FIRST_ANALYSIS), []
    while at < count:
        found.append(int(at))
        at = max(at + 1, at * ANALYSIS_GROWTH)
    return [*found, count]
