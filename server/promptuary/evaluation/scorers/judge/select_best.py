"""`select-best`: which of the outputs of several variants for one case is the best, by pairs in both orders.

A judge that compares two texts tends to prefer one position. So each pair is judged twice with the positions swapped, and a
preference counts only if it is the same both times; else the pair is a tie. Equal outputs are a tie without a judge.

The best output is the one with the most wins, among these the one with the fewest losses. Outputs that are still equal share
the first place: each of k passes, with a score of 1/k, so that the scores of a case sum to 1 and no position in the plan is
preferred.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.judge.judge import REASON_SCHEMA, UNTRUSTED_TEXT_NOTE, Judge, JudgeConfig, build_judge
from promptuary.evaluation.scorers.judge_task import JudgeOutput, judge_task
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerSettings, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import RubricValue


class PreferenceOutput(JudgeOutput):
    """Which of two outputs is better."""

    reason: str
    better: Literal["first", "second", "neither"]


PREFERENCE = judge_task(
    "preference",
    "You compare two outputs, which two programs gave to the same task, by a criterion, and say which of them meets it better. "
    f"Their order means nothing, and neither does their length unless the criterion is about it.{UNTRUSTED_TEXT_NOTE} Answer "
    "with a JSON object: `reason`, one sentence; `better`, `first`, `second`, or `neither` if you see no difference that "
    "matters.",
    PreferenceOutput,
    reason=REASON_SCHEMA,
    better={"type": "string", "enum": ["first", "second", "neither"]},
)


@dataclass(frozen=True)
class SelectBest:
    """Compares the outputs of variants. To a runner, which sees one output, it is a scorer of weight 0 without a score yet.

    Attributes:
        name: of the metric.
        share: the weight in the case's score once the outputs are compared.
        inverse: whether `not-` inverts the verdict.
        criterion: what makes an output better.
        judge: compares.
    """

    name: str
    share: float
    inverse: bool
    criterion: ValueTemplate
    judge: Judge

    @property
    def weight(self) -> float:
        """0, as long as only one output is known."""
        return 0.0

    async def score(self, sample: ScorerInput) -> Score:
        """Return an error: `compare` returns the scores, when all variants are done."""
        return Score.from_error(self.name, "the outputs of the variants were not compared")

    async def compare(self, case: Case, repeat: int, outputs: Mapping[str, str]) -> dict[str, Score]:
        """Compare the outputs of the variants, each with each, and return each variant's score.

        Args:
            case: of the outputs.
            repeat: the number of the repetition.
            outputs: by the names of their variants.

        Raises:
            JudgeUnclear: when one of the judge's outputs cannot be parsed; then no variant has won.
        """
        if len(outputs) < 2:
            return {name: Score.from_error(self.name, "there is no other output to compare with") for name in outputs}
        comparison = _Comparison(self.judge, ScorerInput(case, "", repeat=repeat), self.criterion.text(case), outputs)
        pairs = list(combinations(outputs, 2))
        tasks = [asyncio.ensure_future(comparison.winner(*pair)) for pair in pairs]
        try:
            winners = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        won, lost = dict.fromkeys(outputs, 0), dict.fromkeys(outputs, 0)
        for (first, second), winner in zip(pairs, winners, strict=True):
            if winner is not None:
                won[winner] += 1
                lost[first if winner == second else second] += 1
        return self._scores(won, lost)

    def _scores(self, won: Mapping[str, int], lost: Mapping[str, int]) -> dict[str, Score]:
        ranks = {name: (won[name], -lost[name]) for name in won}
        first_rank = max(ranks.values())
        best = [name for name, rank in ranks.items() if rank == first_rank]
        scorer = BaseScorer(self.name, self.share, self.inverse)
        scores = {}
        for name in ranks:
            ties = len(ranks) - 1 - won[name] - lost[name]
            place = "not the best" if name not in best else "the best" if len(best) == 1 else f"one of {len(best)} best"
            reason = f"{place}: {won[name]} won, {lost[name]} lost, {ties} tied"
            scores[name] = scorer.graded(name in best, 1 / len(best) if name in best else 0.0, reason)
        return scores


@dataclass(frozen=True)
class _Comparison:
    """The comparisons of one case's outputs."""

    judge: Judge
    sample: ScorerInput
    criterion: str
    outputs: Mapping[str, str]

    async def winner(self, left: str, right: str) -> str | None:
        """Return the variant that is preferred in both orders; None for a tie."""
        if self.outputs[left] == self.outputs[right]:
            return None
        forward = await self._preferred(left, right)
        backward = await self._preferred(right, left)
        if (forward, backward) == ("first", "second"):
            return left
        return right if (forward, backward) == ("second", "first") else None

    async def _preferred(self, first: str, second: str) -> str:
        sections = ("first", self.outputs[first]), ("second", self.outputs[second]), ("criterion", self.criterion)
        return (await self.judge.run(PREFERENCE, self.sample, *sections)).better


def _build(settings: ScorerSettings[RubricValue, JudgeConfig], dependencies: ScorerDependencies) -> SelectBest:
    return SelectBest(*settings.base, settings.value.template, build_judge(settings, dependencies))


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "select-best": ScorerType(RubricValue, _build, tasks=(PREFERENCE,), config=JudgeConfig, compares_variants=True),
}
