"""Wire models of the figures of pairs."""

from typing import TYPE_CHECKING

from promptuary.core.wire import ResponseModel

if TYPE_CHECKING:  # they load numpy
    from promptuary.statistics.interval import Interval
    from promptuary.statistics.pairwise.position_bias import PositionBias, SideShare
    from promptuary.statistics.pairwise.ranking_interval import RankedSides


class IntervalOut(ResponseModel):
    """A share from 0 to 1 with its interval at `level`, over `n` decisions on `clusters` pairs."""

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int
    clusters: int | None

    @classmethod
    def of(cls, interval: "Interval | None") -> "IntervalOut | None":
        """Build the wire model from the domain value; None where there is none."""
        return None if interval is None else cls.model_validate(interval)


class SideShareOut(ResponseModel):
    """How often the left side was preferred, without ties: about one half where the side does not matter.

    `swapped` counts the decisions with the pair's second output on the left; about half of them, since sides are
    counterbalanced. `favours` is `left` or `right` where the whole interval is beyond one half.
    """

    choices: int
    ties: int
    swapped: int
    left: IntervalOut | None
    favours: str | None
    reason: str | None

    @classmethod
    def of(cls, share: "SideShare") -> "SideShareOut":
        """Build the wire model from the domain value."""
        return cls(
            choices=share.choices,
            ties=share.ties,
            swapped=share.swapped,
            left=IntervalOut.of(share.left),
            favours=share.favours,
            reason=share.reason,
        )


class RepeatedPairsOut(ResponseModel):
    """Pairs that one person decided twice, the second time swapped: the same output, the same side, or one tie."""

    pairs: int
    consistent: int
    left: int
    right: int
    tied_once: int
    consistency: IntervalOut | None


class PositionBiasOut(ResponseModel):
    """Whether the place on the screen, and not the output, decided."""

    overall: SideShareOut
    reviewers: dict[str, SideShareOut]
    repeated: RepeatedPairsOut

    @classmethod
    def of(cls, bias: "PositionBias") -> "PositionBiasOut":
        """Build the wire model from the domain value."""
        return cls(
            overall=SideShareOut.of(bias.overall),
            reviewers={reviewer: SideShareOut.of(share) for reviewer, share in bias.reviewers.items()},
            repeated=RepeatedPairsOut.model_validate(bias.repeated),
        )


class StrengthOut(ResponseModel):
    """A variant with its record and its strength by Bradley and Terry, geometric mean 1; null where undefined."""

    variant: str
    wins: int
    losses: int
    ties: int
    strength: float | None
    low: float | None
    high: float | None


class PreferenceOut(ResponseModel):
    """How often `first` was preferred over `second`, a tie counted as half."""

    first: str
    second: str
    share: IntervalOut


class RankingOut(ResponseModel):
    """The strengths of a queue's variants, and the preference within each pair of variants.

    `smoothed` is the share of resampled pairs whose strengths are defined by a prior alone; above 0 the bounds are rough.
    """

    variants: list[StrengthOut]
    preferences: list[PreferenceOut]
    reason: str | None
    comparisons: int
    level: float
    smoothed: float

    @classmethod
    def of(cls, ranked: "RankedSides") -> "RankingOut":
        """Build the wire model from the domain value."""
        variants = [
            StrengthOut(
                variant=str(side.side),
                wins=side.wins,
                losses=side.losses,
                ties=side.ties,
                strength=side.strength,
                low=side.low,
                high=side.high,
            )
            for side in ranked.sides
        ]
        preferences = [
            PreferenceOut(first=str(each.first), second=str(each.second), share=IntervalOut.model_validate(each.share))
            for each in ranked.preferences
        ]
        return cls(
            variants=variants,
            preferences=preferences,
            reason=ranked.reason,
            comparisons=ranked.comparisons,
            level=ranked.level,
            smoothed=ranked.smoothed,
        )
