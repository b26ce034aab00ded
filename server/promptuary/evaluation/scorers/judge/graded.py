"""Scorers by which a model judges an output against a text: criteria in steps, facts, a yes or no.

They have promptfoo's names and scores; the instructions are our own.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.judge.judge import (
    REASON_SCHEMA,
    UNTRUSTED_TEXT_NOTE,
    Judge,
    JudgeConfig,
    build_judge,
    check_names,
    numbered_list,
    parse_prompt,
)
from promptuary.evaluation.scorers.judge_task import JudgeOutput, judge_task
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import RubricValue, TemplateValue
from promptuary.prompt.errors import Invalid

DEFAULT_THRESHOLD = 0.7
CRITERIA_LIMIT = 50
_BEST_MARK = 10
Text = Annotated[str, Field(min_length=1)]


class StepsOutput(JudgeOutput):
    """The steps in which a grader examines a criterion."""

    steps: Annotated[list[Text], Field(min_length=1)]


class MarkOutput(JudgeOutput):
    """How well an output meets a criterion, from 0 to 10."""

    reason: str
    score: Annotated[float, Field(ge=0, le=_BEST_MARK, allow_inf_nan=False)]


class CategoryOutput(JudgeOutput):
    """How the facts of two answers relate."""

    reason: str
    category: Literal["A", "B", "C", "D", "E"]


class YesNoOutput(JudgeOutput):
    """Whether an output meets a criterion."""

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
    f"{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `reason`, one or two sentences that name what decided it; `score`, a "
    f"whole number from 0 (does not meet the criterion at all) to {_BEST_MARK} (meets it fully).",
    MarkOutput,
    reason=REASON_SCHEMA,
    score={"type": "number", "minimum": 0, "maximum": _BEST_MARK},
)
CATEGORY = judge_task(
    "category",
    "You compare the facts of an output with those of a reference, which an expert gave to the same question. Style, grammar, "
    f"punctuation and order do not matter.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `reason`, one sentence; `category`, "
    "a letter:\n"
    "A: the output says less than the reference, and nothing against it\n"
    "B: the output says more than the reference, and nothing against it\n"
    "C: both say the same\n"
    "D: the two contradict each other in a fact\n"
    "E: the two differ, but in nothing that bears on the facts",
    CategoryOutput,
    reason=REASON_SCHEMA,
    category={"type": "string", "enum": ["A", "B", "C", "D", "E"]},
)
YES_NO = judge_task(
    "verdict",
    "You decide whether an output, which is the reply to an input, meets a criterion. Think of the criterion alone: an output "
    f"may be poor and yet meet it.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `reason`, one sentence; `holds`, true if "
    "the output meets the criterion, else false.",
    YesNoOutput,
    reason=REASON_SCHEMA,
    holds={"type": "boolean"},
)


class CriteriaValue(TemplateValue):
    """A criterion, or a list of them."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that there are criteria, and not too many."""
        criteria = value if isinstance(value, list) else [value]
        if (
            not criteria
            or len(criteria) > CRITERIA_LIMIT
            or not all(isinstance(criterion, str) and criterion.strip() for criterion in criteria)
        ):
            raise Invalid(f"is required: a criterion, or a list of up to {CRITERIA_LIMIT} of them")


@dataclass(frozen=True)
class GEval(BaseScorer):
    """Passes if the mean of a judge's marks over the criteria reaches the threshold; the judge lays out steps for each first.

    The method is that of Liu et al., "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment" (2023), without its
    weighting by token probabilities. The steps of a criterion that is the same for all cases are made once.
    """

    criteria: ValueTemplate
    threshold: float
    judge: Judge
    cached_steps: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    steps_lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    async def score(self, sample: ScorerInput) -> Score:
        """Return the mean mark; where one criterion cannot be marked, the whole is an error."""
        criteria = self.criteria.texts(sample.case, commas=False)
        if len(criteria) > CRITERIA_LIMIT:
            raise Invalid(f"there are {len(criteria)} criteria; the most are {CRITERIA_LIMIT}")
        marks = await asyncio.gather(*(self._mark(criterion, sample) for criterion in criteria))
        score = round(sum(mark.score for mark in marks) / len(marks) / _BEST_MARK, 12)
        return self.compared(score, self.threshold, "\n".join(mark.reason for mark in marks))

    async def _mark(self, criterion: str, sample: ScorerInput) -> MarkOutput:
        steps = await self._steps(criterion, sample)
        return await self.judge.run(
            MARK,
            sample,
            ("input", sample.prompt_text),
            ("output", sample.judged_output),
            ("criterion", criterion),
            ("steps", numbered_list(steps)),
        )

    async def _steps(self, criterion: str, sample: ScorerInput) -> list[str]:
        if not self.criteria.constant:
            return await self._make_steps(criterion, sample)
        async with self.steps_lock:
            steps = self.cached_steps.get(criterion)
            if steps is None:
                steps = self.cached_steps[criterion] = await self._make_steps(criterion, sample)
            return steps

    async def _make_steps(self, criterion: str, sample: ScorerInput) -> list[str]:
        """Return the steps that the judge makes by the task's own instruction, the same for every repeat."""
        judge = replace(self.judge, prompt=None)
        return (await judge.run(STEPS, replace(sample, repeat=0), ("criterion", criterion))).steps


SCORES = {
    "subset": ("A", 1.0),
    "superset": ("B", 1.0),
    "agree": ("C", 1.0),
    "disagree": ("D", 0.0),
    "differButFactual": ("E", 1.0),
}
"""Setting, category and default score; a category whose score is above 0 passes."""


@dataclass(frozen=True)
class FactualityConfig(JudgeConfig):
    """The settings of `factuality`: the judge's, and the score of each category, from 0 to 1."""

    scores: Mapping[str, float] = field(default_factory=lambda: dict(SCORES.values()))

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Parse the scores under their names, with the defaults for the others."""
        check_names(config, ("prompt", *SCORES))
        scores = {}
        for name, (category, default) in SCORES.items():
            score = config.get(name)
            if score is None:
                score = default
            if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
                raise Invalid(f"'{name}' must be a number from 0 to 1")
            scores[category] = float(score)
        return cls(parse_prompt(config), scores)


@dataclass(frozen=True)
class Factuality(BaseScorer):
    """Passes if the facts of the output relate to those of the reference in one of the ways of OpenAI's evals that pass."""

    reference: ValueTemplate
    scores: Mapping[str, float]
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Return the score of the judge's category."""
        judged = await self.judge.run(
            CATEGORY,
            sample,
            ("question", sample.prompt_text),
            ("reference", self.reference.text(sample.case)),
            ("output", sample.output),
        )
        score = self.scores[judged.category]
        return self.graded(score > 0, score, f"{judged.category}: {judged.reason}")


@dataclass(frozen=True)
class ClosedQa(BaseScorer):
    """Passes if a judge decides that the output meets the criterion."""

    criterion: ValueTemplate
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Return the judge's yes or no."""
        judged = await self.judge.run(
            YES_NO,
            sample,
            ("input", sample.prompt_text),
            ("output", sample.output),
            ("criterion", self.criterion.text(sample.case)),
        )
        return self.pass_or_fail(judged.holds, judged.reason)


def _g_eval(settings: ScorerSettings[CriteriaValue, JudgeConfig], dependencies: ScorerDependencies) -> GEval:
    return GEval(*settings.base, settings.value.template, settings.known_threshold, build_judge(settings, dependencies))


def _factuality(settings: ScorerSettings[RubricValue, FactualityConfig], dependencies: ScorerDependencies) -> Factuality:
    return Factuality(*settings.base, settings.value.template, settings.config.scores, build_judge(settings, dependencies))


def _closed_qa(settings: ScorerSettings[RubricValue, JudgeConfig], dependencies: ScorerDependencies) -> ClosedQa:
    return ClosedQa(*settings.base, settings.value.template, build_judge(settings, dependencies))


_FACTUALITY: ScorerType[Any, Any] = ScorerType(RubricValue, _factuality, tasks=(CATEGORY,), config=FactualityConfig)
SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "g-eval": ScorerType(
        CriteriaValue,
        _g_eval,
        threshold=ThresholdRange(0, 1, default=DEFAULT_THRESHOLD),
        tasks=(MARK, STEPS),
        config=JudgeConfig,
    ),
    "factuality": _FACTUALITY,
    "model-graded-factuality": _FACTUALITY,
    "model-graded-closedqa": ScorerType(RubricValue, _closed_qa, tasks=(YES_NO,), config=JudgeConfig),
}
