"""The scores of a conversation: of each turn, and of the whole.

A turn's own scorers are one part of the whole, as a set is: the conversation passes if all its turns do, and a metric that
several turns name is their mean. A scorer with `each_turn` is run on every turn, and is one part with their mean, too. So a
conversation is one case with one value of each metric, however many turns it has: turns of one conversation never count as
independent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from promptuary.evaluation.conversations.turn import Turn
from promptuary.evaluation.scorers.assert_set import EachTurn, combined_score
from promptuary.evaluation.scorers.per_case import AppliedScorer, CaseScorers, CombinedScore, combine_parts
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, WeightedScore

ScoreOne = Callable[[Scorer, ScorerInput], Awaitable[Score]]


@dataclass(frozen=True)
class ConversationScore:
    """The combined score of a conversation, and that of each turn; a turn without a scorer has no verdict."""

    whole: CombinedScore
    turns: tuple[CombinedScore, ...]


async def score_conversation(
    scorers: CaseScorers, whole: ScorerInput, turns: Sequence[tuple[Turn, ScorerInput]], score: ScoreOne
) -> ConversationScore:
    """Run all scorers of a conversation at once, and combine their scores.

    Args:
        scorers: of the run.
        whole: the conversation, with its last answer as the output.
        turns: each with its answer.
        score: runs one scorer; it never raises.
    """
    applied = scorers.of_case(whole.case)
    samples = [sample for _, sample in turns]
    parts, of_turns = await asyncio.gather(
        asyncio.gather(*(_parts_of(each, whole, samples, score) for each in applied)),
        asyncio.gather(*(_score_turn(scorers, turn, sample, score) for turn, sample in turns)),
    )
    by_turn: list[list[WeightedScore]] = [
        [of_scorer[number] for of_scorer in parts if len(of_scorer) > 1] for number in range(1, len(turns) + 1)
    ]
    counted = [of_scorer[0] for of_scorer in parts]
    for number, own in enumerate(of_turns):
        by_turn[number] += own
        if own:
            weight = float(any(part.weight > 0 for part in own))
            turn_score = combined_score(f"turn {number + 1}", tuple(own), turns[number][0].threshold)
            counted.append(WeightedScore(turn_score, weight, from_case=True))
    case = whole.case
    return ConversationScore(
        combine_parts(counted, scorers.threshold if case.threshold is None else case.threshold),
        tuple(_turn_outcome(own, turn) for own, (turn, _) in zip(by_turn, turns, strict=True)),
    )


async def _parts_of(
    applied: AppliedScorer, whole: ScorerInput, turns: Sequence[ScorerInput], score: ScoreOne
) -> list[WeightedScore]:
    """Return a scorer's part in the whole; behind it, for a scorer of each turn, its score of every turn."""
    if not isinstance(applied.scorer, EachTurn):
        return [applied.weighted(await score(applied.scorer, whole))]
    scores = await asyncio.gather(*(score(applied.scorer, sample) for sample in turns))
    named = (WeightedScore(replace(each, name=f"turn {number}")) for number, each in enumerate(scores, 1))
    whole_score = combined_score(applied.scorer.name, tuple(named), None)
    return [applied.weighted(whole_score), *(applied.weighted(each) for each in scores)]


async def _score_turn(scorers: CaseScorers, turn: Turn, sample: ScorerInput, score: ScoreOne) -> list[WeightedScore]:
    applied = scorers.built(turn.asserts)
    scores = await asyncio.gather(*(score(each.scorer, sample) for each in applied))
    return [each.weighted(of_scorer) for each, of_scorer in zip(applied, scores, strict=True)]


def _turn_outcome(parts: Sequence[WeightedScore], turn: Turn) -> CombinedScore:
    """Return a turn's verdict by all its scorers; none without any."""
    return combine_parts(parts, turn.threshold) if parts else CombinedScore(None, None, {}, {})
