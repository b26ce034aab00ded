"""Scorers that are made of others: `assert-set` combines their scores as a case does, and counts as one score.

A scorer of each turn of a conversation is another one.
"""

import asyncio
import math
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.scorers.aggregate import combine_scores
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import REASON_LIMIT, Score, Scorer, ScorerInput, WeightedScore, run_scorer
from promptuary.evaluation.scorers.scorer_type import (
    NestedScorer,
    NoConfig,
    NoValue,
    ScorerSettings,
    ScorerType,
    ThresholdRange,
)


@dataclass(frozen=True)
class AssertSet:
    """Passes if no scorer in it with a weight fails; with a threshold, if the weighted mean of the scores reaches it.

    Attributes:
        name: of its metric, or its type.
        weight: its share in the case's score.
        threshold: None where every scorer must pass.
        scorers: the scorers in it.
    """

    name: str
    weight: float
    threshold: float | None
    scorers: tuple[NestedScorer, ...]

    async def score(self, sample: ScorerInput) -> Score:
        """Run all scorers; where one with a weight is an error, so is the set."""
        scores = await asyncio.gather(*(run_scorer(nested.scorer, sample) for nested in self.scorers))
        parts = tuple(
            WeightedScore(score, nested.scorer.weight, nested.metric)
            for nested, score in zip(self.scorers, scores, strict=True)
        )
        return combined_score(self.name, parts, self.threshold)

    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics inside, those of nested sets too."""
        names: list[str] = []
        for nested in self.scorers:
            names += [nested.metric] if nested.metric is not None else []
            names += nested.scorer.metrics() if isinstance(nested.scorer, AssertSet) else ()
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class EachTurn:
    """Marks a scorer of a suite or case that is run on each turn; its metric is the mean over the turns."""

    scorer: Scorer

    @property
    def name(self) -> str:
        """The scorer's name."""
        return self.scorer.name

    @property
    def weight(self) -> float:
        """The scorer's weight."""
        return self.scorer.weight

    async def score(self, sample: ScorerInput) -> Score:
        """Score one answer."""
        return await self.scorer.score(sample)


def combined_score(name: str, parts: tuple[WeightedScore, ...], threshold: float | None) -> Score:
    """Return several scores as one; where one with a weight is an error, so is the whole."""
    outcome = combine_scores(parts, threshold)
    if outcome.passed is None:
        broken = next(part.score for part in parts if part.weight > 0 and part.score.error is not None)
        return Score.from_error(name, f"{broken.name}: {broken.error}", parts)
    score = math.nan if outcome.score is None else outcome.score
    return Score(name, outcome.passed, score, _reason(parts, score, threshold), parts=parts, unbounded=True)


def _reason(parts: tuple[WeightedScore, ...], score: float, threshold: float | None) -> str:
    if threshold is not None:
        return f"score {score:.3f}, threshold {threshold:g}"
    failed = [part.score for part in parts if part.weight > 0 and not part.score.passed]
    return f"{failed[0].name}: {failed[0].reason}"[:REASON_LIMIT] if failed else "all in the set passed"


def _build(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> AssertSet:
    return AssertSet(settings.metric, settings.weight, settings.threshold, settings.nested)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "assert-set": ScorerType(NoValue, _build, threshold=ThresholdRange(0, 1), nested=True, invertible=False)
}
