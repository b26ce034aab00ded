"""`select-best`: which of the outputs that the variants gave to one case is the best, found by pairs in both orders.

A judge that is shown two texts tends to one place, the first or the last. So each pair is judged twice, the places exchanged,
and a preference counts only if it holds both times; else the pair is a tie. Equal outputs are a tie unasked.

The best output is the one with the most wins, among these the one with the fewest losses. What is still equal shares the first
place: each of k passes, with a score of 1/k, so that the scores of a case come to 1 and no place in the plan is favoured.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.judge.judge import MATERIAL, REASON, Judge, JudgeOutput, judge_settings, judge_task
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import RUBRIC, ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec


class PreferenceOutput(JudgeOutput):
    """Which of two outputs is better."""

    reason: str
    better: Literal["first", "second", "neither"]


PREFERENCE = judge_task(
    "preference",
    "You compare two outputs, which two programs gave to the same task, by a criterion, and say which of them meets it better. "
    f"Their order means nothing, and neither does their length unless the criterion is about it.{MATERIAL} Answer with a JSON "
    "object: `reason`, one sentence; `better`, `first`, `second`, or `neither` if you see no difference that matters.",
    PreferenceOutput,
    reason=REASON,
    better={"type": "string", "enum": ["first", "second", "neither"]},
)


@dataclass(frozen=True)
class SelectBest:
    """Compares outputs. To a runner, which sees one output, it is a scorer that weighs nothing and has no answer yet.

    Attributes:
        name: of the metric.
        share: the weight in the case's score once the outputs are compared.
        inverse: whether `not-` turns the verdict.
        value: the criterion.
        judge: compares.
    """

    name: str
    share: float
    inverse: bool
    value: ValueTemplate
    judge: Judge

    @property
    def weight(self) -> float:
        """Nothing, as long as only one output is seen."""
        return 0.0

    async def score(self, sample: ScorerInput) -> Score:
        """Give no answer: `compared` gives it, when all variants are done."""
        return Score.failed(self.name, "the outputs of the variants were not compared")

    async def compared(self, case: Case, repeat: int, outputs: Mapping[str, str]) -> dict[str, Score]:
        """Compare the outputs, by the names of their variants, each with each.

        Raises:
            JudgeUnclear: when one of the judge's answers cannot be read; then nobody has won.
        """
        if len(outputs) < 2:
            return {name: Score.failed(self.name, "there is no other output to compare with") for name in outputs}
        criterion = self.value.text(case)
        pairs = list(combinations(outputs, 2))
        tasks = [asyncio.ensure_future(self._winner(case, repeat, criterion, *pair, outputs)) for pair in pairs]
        try:
            winners = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        won, lost = dict.fromkeys(outputs, 0), dict.fromkeys(outputs, 0)
        for pair, winner in zip(pairs, winners, strict=True):
            if winner is not None:
                won[winner] += 1
                lost[pair[0] if winner == pair[1] else pair[1]] += 1
        return self._scores(won, lost)

    def _scores(self, won: Mapping[str, int], lost: Mapping[str, int]) -> dict[str, Score]:
        standing = {name: (won[name], -lost[name]) for name in won}
        first = max(standing.values())
        best = [name for name, reached in standing.items() if reached == first]
        scores = {}
        for name in standing:
            ties = len(standing) - 1 - won[name] - lost[name]
            place = "not the best" if name not in best else "the best" if len(best) == 1 else f"one of {len(best)} best"
            reason = f"{place}: {won[name]} won, {lost[name]} lost, {ties} tied"
            score = 1 / len(best) if name in best else 0.0
            scores[name] = Score(self.name, (name in best) != self.inverse, 1 - score if self.inverse else score, reason)
        return scores

    async def _winner(
        self, case: Case, repeat: int, criterion: str, one: str, other: str, outputs: Mapping[str, str]
    ) -> str | None:
        """Give the one of two that is preferred in both orders, or None for a tie."""
        if outputs[one] == outputs[other]:
            return None
        there = await self._preferred(case, repeat, criterion, outputs[one], outputs[other])
        back = await self._preferred(case, repeat, criterion, outputs[other], outputs[one])
        if (there, back) == ("first", "second"):
            return one
        return other if (there, back) == ("second", "first") else None

    async def _preferred(self, case: Case, repeat: int, criterion: str, first: str, second: str) -> str:
        sections = (("first", first), ("second", second), ("criterion", criterion))
        return (await self.judge.answer(PREFERENCE, case, repeat, *sections)).better


def build_select_best(spec: "ScorerSpec", parts: ScorerDependencies) -> SelectBest:
    """Make it from a spec that was checked."""
    return SelectBest(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), Judge.of(spec, parts.ask))


SCORER_TYPES: dict[str, ScorerType] = {
    "select-best": ScorerType(
        RUBRIC, build_select_best, judged=True, config=judge_settings(), forms=(PREFERENCE,), grouped=True
    ),
}
