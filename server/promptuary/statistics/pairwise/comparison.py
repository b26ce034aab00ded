"""Choices between two sides, as the figures count them."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class PairComparison:
    """One person's choice between two sides.

    Attributes:
        first: one side.
        second: the other one.
        winner: the chosen side; None for a tie.
        unit: what choices share that are not independent, such as the pair of outputs that several people saw.
        weight: how many pairs this one stands for, > 0: the inverse of its inclusion probability, 1 where all were compared.
    """

    first: Hashable
    second: Hashable
    winner: Hashable | None
    unit: Hashable
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for a side against itself, a winner that was not compared, or a weight that is not above 0."""
        if self.first == self.second:
            raise ValueError(f"The side {self.first!r} is compared with itself; leave the pair out.")
        if self.winner not in (None, self.first, self.second):
            raise ValueError(f"The winner {self.winner!r} is neither {self.first!r} nor {self.second!r}.")
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"The weight {self.weight!r} is not a finite number above 0.")

    def points(self, side: Hashable) -> float:
        """Return 1 where the side won, 0 where it lost and ½ for a tie."""
        return 0.5 if self.winner is None else float(self.winner == side)


@dataclass(frozen=True)
class SidedChoice:
    """One person's choice as it was on the screen.

    Attributes:
        chosen: `left` or `right`; None for a tie.
        swapped: whether the pair's second side was on the left.
        reviewer: who chose.
        unit: the pair; the same for a pair that was shown again with its sides swapped.
    """

    chosen: str | None
    swapped: bool
    reviewer: str
    unit: Hashable

    @property
    def winner(self) -> str | None:
        """The chosen side of the pair, `first` or `second`, wherever it was on the screen; None for a tie."""
        if self.chosen is None:
            return None
        return "second" if (self.chosen == "left") == self.swapped else "first"
