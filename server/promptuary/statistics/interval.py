"""An estimate with its confidence interval. No numpy: what reads intervals does not load it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimate between two bounds, with everything a reader needs to repeat it.

    Attributes:
        estimate: the mean, or the mean difference.
        low: the lower bound, at most the estimate.
        high: the upper bound, at least the estimate.
        level: the two-sided confidence level, in (0, 1).
        method: the formula of the bounds, such as `wilson` or `cluster-robust`.
        n: the number of cases behind the estimate.
        clusters: the number of clusters, or None without clusters.
        effective: of a weighted estimate, the number of equally weighted cases with the same information (Kish's (Σw)²/Σw²);
            None where all cases weigh the same.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int
    clusters: int | None
    effective: float | None = None

    @property
    def half_width(self) -> float:
        """Half the distance between the bounds; they need not be symmetric about the estimate."""
        return (self.high - self.low) / 2
