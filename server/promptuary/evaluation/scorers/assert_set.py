"""The scorer that is made of others: `assert-set` puts their answers together as a case does, and enters as one."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptuary.evaluation.scorers.aggregate import combine_scores
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, WeightedScore, run_scorer
from promptuary.evaluation.scorers.scorer_type import NOTHING, ScorerDependencies, ScorerType

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec


@dataclass(frozen=True)
class AssertSet:
    """Passes if no scorer in it that counts fails; with a threshold, if the weighted mean of the scores reaches it.

    Attributes:
        name: of its metric, or its type.
        weight: its share in the case's score.
        threshold: None where every scorer must pass.
        scorers: each with the metric that it adds to; None where it was given no name.
    """

    name: str
    weight: float
    threshold: float | None
    scorers: tuple[tuple[str | None, Scorer], ...]

    async def score(self, sample: ScorerInput) -> Score:
        """Ask all of them; where one that counts is an error, so is the set."""
        scores = await asyncio.gather(*(run_scorer(scorer, sample, discreet=sample.discreet) for _, scorer in self.scorers))
        parts = tuple(
            WeightedScore(score, scorer.weight, metric) for (metric, scorer), score in zip(self.scorers, scores, strict=True)
        )
        passed, score = combine_scores(parts, self.threshold)
        if passed is None or score is None:
            broken = next(part.score for part in parts if part.weight > 0 and part.score.error is not None)
            return Score.failed(self.name, f"{broken.name}: {broken.error}", parts)
        return Score(self.name, passed, score, _reason(parts, score, self.threshold), parts=parts)

    def metrics(self) -> tuple[str, ...]:
        """Give the names of the metrics inside."""
        inner = (
            ((metric,) if metric is not None else ()) + (scorer.metrics() if isinstance(scorer, AssertSet) else ())
            for metric, scorer in self.scorers
        )
        return tuple(dict.fromkeys(name for names in inner for name in names))


def _reason(parts: tuple[WeightedScore, ...], score: float, threshold: float | None) -> str:
    if threshold is not None:
        return f"score {score:.3f}, threshold {threshold:g}"
    failed = [part.score for part in parts if part.weight > 0 and not part.score.passed]
    return f"{failed[0].name}: {failed[0].reason}"[:500] if failed else "all in the set passed"


def _set(spec: "ScorerSpec", parts: ScorerDependencies) -> AssertSet:
    from promptuary.evaluation.scorers.catalog import build_scorer

    inner = tuple((one.name, build_scorer(one, parts)) for one in spec.asserts or ())
    return AssertSet(spec.metric, spec.weight, spec.threshold, inner)


SCORER_TYPES: dict[str, ScorerType] = {"assert-set": ScorerType(NOTHING, _set, threshold=(0, 1), nested=True, inverse=False)}
