import numpy as np
import pytest

from promptuary.statistics.pairwise.comparison import SidedChoice
from promptuary.statistics.pairwise.position_bias import compute_position_bias


@pytest.mark.parametrize(
    ("chosen", "swapped", "winner"),
    [
        ("left", False, "first"),
        ("right", False, "second"),
        ("left", True, "second"),
        ("right", True, "first"),
        (None, True, None),
    ],
)
def test_the_winner_is_the_output_wherever_it_was(chosen: str | None, swapped: bool, winner: str | None) -> None:
    assert SidedChoice(chosen, swapped, "ann", 1).winner == winner


def test_who_always_chooses_the_left_side_favours_it() -> None:
    bias = compute_position_bias([SidedChoice("left", bool(unit % 2), "ann", unit) for unit in range(20)])
    assert bias.overall.left is not None
    assert (bias.overall.left.estimate, bias.overall.favours, bias.overall.swapped) == (1.0, "left", 10)
    assert bias.overall.left.method == "wilson"


def test_who_always_chooses_one_output_favours_no_side() -> None:
    chosen = [SidedChoice("right" if unit % 2 else "left", bool(unit % 2), "ann", unit) for unit in range(20)]
    assert {choice.winner for choice in chosen} == {"first"}
    bias = compute_position_bias(chosen)
    assert bias.overall.left is not None
    assert (bias.overall.left.estimate, bias.overall.favours) == (0.5, None)


def test_reviewers_have_their_own_shares() -> None:
    chosen = [SidedChoice("left", bool(unit % 2), "ann", unit) for unit in range(20)]
    chosen += [SidedChoice("right", bool(unit % 2), "bob", unit) for unit in range(20)]
    bias = compute_position_bias(chosen)
    assert {reviewer: share.favours for reviewer, share in bias.reviewers.items()} == {"ann": "left", "bob": "right"}
    assert bias.overall.favours is None


def test_repeated_pairs_show_what_the_position_decides() -> None:
    twice = [("left", "right"), ("right", "left"), (None, None), ("left", "left"), ("right", "right"), ("left", None)]
    chosen = [
        SidedChoice(choice, swapped, "ann", unit)
        for unit, both in enumerate(twice)
        for swapped, choice in zip((False, True), both, strict=True)
    ]
    repeated = compute_position_bias([*chosen, SidedChoice("left", False, "bob", 0)]).repeated
    assert (repeated.pairs, repeated.consistent, repeated.left, repeated.right, repeated.tied_once) == (6, 3, 1, 1, 1)
    assert repeated.consistency is not None
    assert (repeated.consistency.estimate, repeated.consistency.method) == (0.5, "wilson")


def test_ties_alone_are_undefined() -> None:
    for chosen in ([], [SidedChoice(None, False, "ann", 1)]):
        bias = compute_position_bias(chosen)
        assert (bias.overall.left, bias.overall.favours, bias.overall.ties) == (None, None, len(chosen))
        assert bias.overall.reason is not None
        assert bias.repeated.consistency is None


def test_the_interval_covers_half_where_there_is_no_bias() -> None:
    # 400 queues of 60 pairs by three reviewers, who share a preference on each pair; sides are drawn at random.
    rng, covered = np.random.default_rng(11), 0
    for _ in range(400):
        chosen = []
        for unit in range(60):
            preferred = rng.random()
            for reviewer in ("ann", "bob", "cat"):
                swapped, first = bool(rng.random() < 0.5), bool(rng.random() < preferred)
                chosen.append(SidedChoice("left" if first != swapped else "right", swapped, reviewer, unit))
        covered += compute_position_bias(chosen).overall.favours is None
    assert covered / 400 >= 0.92
