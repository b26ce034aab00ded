"""Whether the place on the screen, and not the output, decides which one is chosen."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from promptuary.statistics.interval import Interval
from promptuary.statistics.mean_interval import mean_interval
from promptuary.statistics.pairwise.comparison import SidedChoice

NO_CHOICES = "undefined: no pair is decided for one of its sides"


@dataclass(frozen=True)
class SideShare:
    """How often the left side was chosen, ties left out.

    Attributes:
        choices: the number of choices without ties.
        ties: the number of ties.
        swapped: the number of choices and ties with the pair's second side on the left: about half where counterbalanced.
        left: the share of the left side, with its interval; None without choices.
        reason: why there is no share; None where there is one.
    """

    choices: int
    ties: int
    swapped: int
    left: Interval | None
    reason: str | None

    @property
    def favours(self) -> str | None:
        """`left` or `right` where the whole interval is beyond one half; None where it contains one half, or is missing."""
        if self.left is None or self.left.low <= 0.5 <= self.left.high:
            return None
        return "left" if self.left.low > 0.5 else "right"


@dataclass(frozen=True)
class RepeatedPairs:
    """Pairs that one person decided twice, the second time with the sides swapped.

    Attributes:
        pairs: how many.
        consistent: the same output both times, or a tie both times.
        left: the left side both times, so two different outputs.
        right: the right side both times.
        tied_once: a tie in one of the two.
        consistency: the share of consistent pairs, with its interval; None without pairs.
    """

    pairs: int
    consistent: int
    left: int
    right: int
    tied_once: int
    consistency: Interval | None


@dataclass(frozen=True)
class PositionBias:
    """The influence of the position, over all choices and by reviewer, and what repeated pairs show of it."""

    overall: SideShare
    reviewers: dict[str, SideShare]
    repeated: RepeatedPairs


def compute_position_bias(choices: Sequence[SidedChoice], *, level: float = 0.95) -> PositionBias:
    """Compute how often the left side is chosen, which is ½ without bias where sides are counterbalanced.

    The interval is that of `mean_interval` with pairs as clusters, since all choices on a pair depend on its two outputs. It
    applies to further pairs decided by the same people. Counterbalancing as a control: Shi et al., Judging the Judges
    (arXiv:2406.07791), who call the consistent share of swapped repeats position consistency.

    Args:
        choices: all of them, the repeated pairs included.
        level: two-sided confidence, in (0, 1).

    Raises:
        ValueError: a level out of range.
    """
    by_reviewer: dict[str, list[SidedChoice]] = {}
    for choice in choices:
        by_reviewer.setdefault(choice.reviewer, []).append(choice)
    reviewers = {reviewer: _side_share(own, level) for reviewer, own in sorted(by_reviewer.items())}
    return PositionBias(_side_share(choices, level), reviewers, _repeated_pairs(choices, level))


def _side_share(choices: Sequence[SidedChoice], level: float) -> SideShare:
    decided = [choice for choice in choices if choice.chosen is not None]
    swapped = sum(choice.swapped for choice in choices)
    if not decided:
        return SideShare(0, len(choices), swapped, None, NO_CHOICES)
    scores, units = [float(choice.chosen == "left") for choice in decided], [choice.unit for choice in decided]
    left = mean_interval(scores, clusters=units, level=level)
    return SideShare(len(decided), len(choices) - len(decided), swapped, left, None)


def _repeated_pairs(choices: Sequence[SidedChoice], level: float) -> RepeatedPairs:
    by_pair: dict[tuple[str, Hashable], dict[bool, SidedChoice]] = {}
    for choice in choices:
        by_pair.setdefault((choice.reviewer, choice.unit), {})[choice.swapped] = choice
    twice = [(both[False], both[True]) for both in by_pair.values() if len(both) == 2]
    consistent = [straight.winner == turned.winner for straight, turned in twice]
    same_side = [
        straight.chosen for straight, turned in twice if straight.chosen is not None and straight.chosen == turned.chosen
    ]
    left = same_side.count("left")
    tied_once = sum((straight.chosen is None) != (turned.chosen is None) for straight, turned in twice)
    units = [straight.unit for straight, _ in twice]
    consistency = mean_interval([float(same) for same in consistent], clusters=units, level=level) if twice else None
    return RepeatedPairs(len(twice), sum(consistent), left, len(same_side) - left, tied_once, consistency)
