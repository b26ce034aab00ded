"""The figures of pairs as the API answers them; the classes mirror the server's `…Out`."""

from promptuary_ui.wire.base import ApiModel
from promptuary_ui.wire.runs import IntervalFigures


class Strength(ApiModel):
    """A variant with its record and its strength, with bounds; None where undefined."""

    variant: str
    wins: int
    losses: int
    ties: int
    strength: float | None
    low: float | None
    high: float | None


class VariantPreference(ApiModel):
    """How often `first` was preferred over `second`."""

    first: str
    second: str
    share: IntervalFigures


class Ranking(ApiModel):
    """The strengths of a queue's variants, or why there are none."""

    variants: list[Strength]
    preferences: list[VariantPreference]
    reason: str | None


class SideShare(ApiModel):
    """How often the left side was preferred, without ties; `favours` is the side that the interval shows."""

    choices: int
    ties: int
    left: IntervalFigures | None
    favours: str | None
    reason: str | None


class RepeatedPairs(ApiModel):
    """Pairs that one person decided twice, the second time swapped."""

    pairs: int
    consistent: int
    left: int
    right: int
    tied_once: int


class PositionBias(ApiModel):
    """Whether the place on the screen decided: over all decisions, by reviewer, and in repeated pairs."""

    overall: SideShare
    reviewers: dict[str, SideShare]
    repeated: RepeatedPairs
