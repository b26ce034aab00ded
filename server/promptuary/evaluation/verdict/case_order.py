"""The order of the cases in a run that may stop early, and intervals that are valid at every interim analysis. Pure."""

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
        units: the ids of the cases that belong together, unit by unit; a case without a cluster is a unit of its own.
    """

    units: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, clusters: Mapping[str, str | None], seed: str) -> "CaseOrder":
        """Build a shuffled order; the same cases and seed give the same order, so a resumed run keeps its order.

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

    def interval(self, values: Mapping[str, float], level: float, minimum: float = 0.0) -> Interval | None:
        """Compute the interval of the mean over the units whose cases have a value; None where no case has one.

        Args:
            values: of the cases that are done, in [minimum, 1].
            level: the two-sided confidence level, over all interim analyses together.
            minimum: the smallest possible value: 0 for a score, -1 for a difference.
        """
        known = [[values[case] for case in unit if case in values] for unit in self.units]
        means = [sum(unit) / len(unit) for unit in known if unit]
        if not means:
            return None
        sequence = confidence_sequence(means, level=level, bounds=(minimum, 1.0), interim_analyses=interim_analyses(len(means)))
        return replace(sequence[-1], n=sum(map(len, known)), clusters=len(means) if self.clustered else None)

    @property
    def clustered(self) -> bool:
        """Whether any cases belong together."""
        return any(len(unit) > 1 for unit in self.units)


def interim_analyses(count: int) -> list[int]:
    """Return the numbers of units after which an interim analysis is due, up to and including `count`.

    Their distance grows, since an analysis takes time.
    """
    position, analyses = float(FIRST_ANALYSIS), list[int]()
    while position < count:
        analyses.append(int(position))
        position = max(position + 1, position * ANALYSIS_GROWTH)
    return [*analyses, count]
