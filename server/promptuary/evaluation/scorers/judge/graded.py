"""Scorers by which a model judges an output against a text: criteria in steps, facts, a yes or no.

They carry promptfoo's names and give its scores; the questions are our own.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.judge.judge import (
    MATERIAL,
    REASON,
    Judge,
    JudgeOutput,
    judge_settings,
    judge_task,
    numbered_list,
    prompt_as_text,
)
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import RUBRIC, ScorerDependencies, ScorerType, validator_of
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

DEFAULT_THRESHOLD = 0.7
CRITERIA_LIMIT = 50
_MARKS = 10
Text = Annotated[str, Field(min_length=1)]


class StepsOutput(JudgeOutput):
    """How a criterion is looked at."""

    steps: Annotated[list[Text], Field(min_length=1)]


class MarkOutput(JudgeOutput):
    """How well an output meets a criterion."""

    reason: str
    score: Annotated[float, Field(ge=0, le=_MARKS, allow_inf_nan=False)]


class CategoryOutput(JudgeOutput):
    """How the facts of two answers stand to each other."""

    reason: str
    category: Literal["A", "B", "C", "D", "E"]


class YesNoOutput(JudgeOutput):
    """Yes or no."""

    reason: str
    holds: bool


STEPS = judge_task(
    "steps",
    "You prepare the grading of texts by a criterion. Say in three or four short steps what a careful grader looks at, one "
    "after the other, to find how well a text meets it; do not grade anything yet. Answer with a JSON object: `steps`, a list "
    "of sentences.",
    StepsOutput,
    steps={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8},
)
MARK = judge_task(
    "mark",
    "You grade an output, which is the reply to an input, by a criterion. Go through the steps in their order, then decide."
    f"{MATERIAL} Answer with a JSON object: `reason`, one or two sentences that name what decided it; `score`, a whole number "
    f"from 0 (does not meet the criterion at all) to {_MARKS} (meets it fully).",
    MarkOutput,
    reason=REASON,
    score={"type": "number", "minimum": 0, "maximum": _MARKS},
)
CATEGORY = judge_task(
    "category",
    "You compare the facts of an output with those of a reference, which an expert gave to the same question. Style, grammar, "
    f"punctuation and order do not matter.{MATERIAL} Answer with a JSON object: `reason`, one sentence; `category`, a letter:\n"
    "A: the output says less than the reference, and nothing against it\n"
    "B: the output says more than the reference, and nothing against it\n"
    "C: both say the same\n"
    "D: the two contradict each other in a fact\n"
    "E: the two differ, but in nothing that bears on the facts",
    CategoryOutput,
    reason=REASON,
    category={"type": "string", "enum": ["A", "B", "C", "D", "E"]},
)
VERDICT = judge_task(
    "verdict",
    "You decide whether an output, which is the reply to an input, meets a criterion. Think of the criterion alone: an output "
    f"may be poor and yet meet it.{MATERIAL} Answer with a JSON object: `reason`, one sentence; `holds`, true if the output "
    "meets the criterion, else false.",
    YesNoOutput,
    reason=REASON,
    holds={"type": "boolean"},
)


@dataclass(frozen=True)
class GEval(BaseScorer):
    """The mean of a judge's marks over the criteria reaches the threshold; each is looked at in steps that the judge lays out.

    The method is that of Liu et al., "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment" (2023), without its
    weighting by token probabilities. The steps of a criterion that is the same for all cases are asked for once.
    """

    value: ValueTemplate
    threshold: float
    judge: Judge
    known: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    async def score(self, sample: ScorerInput) -> Score:
        """Mark each criterion; where one cannot be marked, the whole is an error."""
        criteria = self.value.texts(sample.case, commas=False)
        if len(criteria) > CRITERIA_LIMIT:
            raise Invalid(f"there are {len(criteria)} criteria; the most are {CRITERIA_LIMIT}")
        marks = await asyncio.gather(*(self._mark(criterion, sample) for criterion in criteria))
        score = round(sum(mark.score for mark in marks) / len(marks) / _MARKS, 12)
        return self.reached(score, self.threshold, "\n".join(mark.reason for mark in marks))

    async def _mark(self, criterion: str, sample: ScorerInput) -> MarkOutput:
        steps = await self._steps(criterion, sample.case)
        return await self.judge.answer(
            MARK,
            sample.case,
            sample.repeat,
            ("input", prompt_as_text(sample)),
            ("output", sample.output),
            ("criterion", criterion),
            ("steps", numbered_list(steps)),
        )

    async def _steps(self, criterion: str, case: Case) -> list[str]:
        plain = Judge(self.judge.model, self.judge.ask)
        if not self.value.constant:
            return (await plain.answer(STEPS, case, 0, ("criterion", criterion))).steps
        async with self.asking:
            if criterion not in self.known:
                self.known[criterion] = (await plain.answer(STEPS, case, 0, ("criterion", criterion))).steps
        return self.known[criterion]


SCORES = {
    "subset": ("A", 1.0),
    "superset": ("B", 1.0),
    "agree": ("C", 1.0),
    "disagree": ("D", 0.0),
    "differButFactual": ("E", 1.0),
}
"""Setting, category and score by default; a category whose score is above 0 passes."""


@dataclass(frozen=True)
class Factuality(BaseScorer):
    """The facts of the output stand to those of the reference in a way that passes, in the five ways of OpenAI's evals."""

    value: ValueTemplate
    scores: dict[str, float]
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Ask for the category, and give its score."""
        reference = self.value.text(sample.case)
        found = await self.judge.answer(
            CATEGORY,
            sample.case,
            sample.repeat,
            ("question", prompt_as_text(sample)),
            ("reference", reference),
            ("output", sample.output),
        )
        score = self.scores[found.category]
        reason = f"{found.category}: {found.reason}"[:500]
        return Score(self.name, (score > 0) != self.inverse, 1 - score if self.inverse else score, reason)


@dataclass(frozen=True)
class ClosedQa(BaseScorer):
    """A judge says yes to the criterion."""

    value: ValueTemplate
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Ask for a plain yes or no."""
        criterion = self.value.text(sample.case)
        found = await self.judge.answer(
            VERDICT,
            sample.case,
            sample.repeat,
            ("input", prompt_as_text(sample)),
            ("output", sample.output),
            ("criterion", criterion),
        )
        return self.answer(found.holds, found.reason)


def _criteria(value: Any) -> None:
    many = value if isinstance(value, list) else [value]
    if not many or len(many) > CRITERIA_LIMIT or not all(isinstance(one, str) and one.strip() for one in many):
        raise Invalid(f"is required: a criterion, or a list of up to {CRITERIA_LIMIT} of them")
    parse_value(value)


def _g_eval(spec: "ScorerSpec", parts: ScorerDependencies) -> GEval:
    threshold = DEFAULT_THRESHOLD if spec.threshold is None else spec.threshold
    return GEval(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), threshold, Judge.of(spec, parts.ask))


def _factuality(spec: "ScorerSpec", parts: ScorerDependencies) -> Factuality:
    config: dict[str, Any] = spec.config or {}
    scores = {category: float(config.get(name, score)) for name, (category, score) in SCORES.items()}
    return Factuality(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), scores, Judge.of(spec, parts.ask))


def _closed_qa(spec: "ScorerSpec", parts: ScorerDependencies) -> ClosedQa:
    return ClosedQa(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), Judge.of(spec, parts.ask))


_FACTUALITY = ScorerType(RUBRIC, _factuality, judged=True, config=judge_settings(*SCORES), forms=(CATEGORY,))
SCORER_TYPES: dict[str, ScorerType] = {
    "g-eval": ScorerType(
        validator_of(_criteria), _g_eval, threshold=(0, 1), judged=True, config=judge_settings(), forms=(MARK, STEPS)
    ),
    "factuality": _FACTUALITY,
    "model-graded-factuality": _FACTUALITY,
    "model-graded-closedqa": ScorerType(RUBRIC, _closed_qa, judged=True, config=judge_settings(), forms=(VERDICT,)),
}
