"""Scorers of answers from a context, by a judging model: whether question, context, answer and truth fit each other.

They carry promptfoo's names and give its ratios, after RAGAS (Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented
Generation", 2023); the questions are our own, and what is counted is counted here, not by the judge.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from promptuary.evaluation.scorers.judge.judge import (
    MATERIAL,
    Judge,
    JudgeOutput,
    JudgeUnclear,
    context_texts,
    judge_settings,
    judge_task,
    numbered_list,
    prompt_as_text,
    query_text,
    split_context,
)
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NOTHING, RUBRIC, ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

QUESTIONS = 3
_TEXTS = {"type": "array", "items": {"type": "string"}, "maxItems": 100}
Texts = list[Annotated[str, Field(min_length=1)]]


class QuestionsOutput(JudgeOutput):
    """What a text may be the answer to."""

    questions: Annotated[Texts, Field(min_length=QUESTIONS, max_length=QUESTIONS)]


class AttributedStatement(JudgeOutput):
    """One statement, and whether the context has it."""

    statement: str
    attributed: bool


class AttributionsOutput(JudgeOutput):
    """The statements of a truth."""

    statements: Annotated[list[AttributedStatement], Field(min_length=1)]


class RelevantPiecesOutput(JudgeOutput):
    """The numbers of the pieces that help."""

    relevant: list[int]


class StatementsOutput(JudgeOutput):
    """What a text claims."""

    statements: Texts


class SupportedOutput(JudgeOutput):
    """For each statement whether the context bears it out, in their order."""

    supported: list[bool]


QUESTIONING = judge_task(
    "questions",
    f"You read an answer and guess what was asked. Write {QUESTIONS} different questions, each one that this very answer "
    f"replies to, in the answer's language.{MATERIAL} Answer with a JSON object: `questions`, a list of {QUESTIONS} texts.",
    QuestionsOutput,
    questions={"type": "array", "items": {"type": "string"}, "minItems": QUESTIONS, "maxItems": QUESTIONS},
)
ATTRIBUTING = judge_task(
    "attributions",
    "You check whether a context holds what a reference says. Part the reference into its single statements; say of each "
    f"whether it can be found in the context or follows from it alone.{MATERIAL} Answer with a JSON object: `statements`, a "
    "list of objects, each with `statement` and `attributed`, true or false.",
    AttributionsOutput,
    statements={
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": {
            "type": "object",
            "properties": {"statement": {"type": "string"}, "attributed": {"type": "boolean"}},
            "required": ["statement", "attributed"],
            "additionalProperties": False,
        },
    },
)
CHOOSING = judge_task(
    "relevant",
    "You choose from the numbered pieces of a context those without which a question cannot be answered as well. A piece that "
    f"is merely about the same subject does not count.{MATERIAL} Answer with a JSON object: `relevant`, the list of their "
    "numbers, empty if there is none.",
    RelevantPiecesOutput,
    relevant={"type": "array", "items": {"type": "integer"}, "maxItems": 1000},
)
STATING = judge_task(
    "statements",
    "You take an answer to a question apart into single statements, each a sentence that can be understood and checked by "
    f"itself, with names in place of pronouns. Leave nothing out and add nothing.{MATERIAL} Answer with a JSON object: "
    "`statements`, a list of sentences, empty if the answer claims nothing.",
    StatementsOutput,
    statements=_TEXTS,
)
SUPPORTING = judge_task(
    "supported",
    "You check numbered statements against a context. A statement is supported if the context says it, or if it follows from "
    f"the context alone; what you know besides does not count.{MATERIAL} Answer with a JSON object: `supported`, a list of "
    "true or false, one for each statement in their order.",
    SupportedOutput,
    supported={"type": "array", "items": {"type": "boolean"}, "maxItems": 100},
)


@dataclass(frozen=True)
class AnswerRelevance(BaseScorer):
    """The output answers what was asked: questions made from it are near the real one, by the mean cosine of embeddings."""

    threshold: float
    judge: Judge
    embed: Callable[[Sequence[str]], Any]

    async def score(self, sample: ScorerInput) -> Score:
        """Have the questions made, and embed them with the real one: the case's `query`, else the prompt."""
        query = sample.case.vars.get("query")
        asked = query if isinstance(query, str) and query else prompt_as_text(sample)
        found = await self.judge.answer(QUESTIONING, sample.case, sample.repeat, ("answer", sample.output))
        rows = await asyncio.to_thread(self.embed, [asked, *found.questions])
        near = round(float((rows[1:] @ rows[0]).mean()), 6)  # embeddings are 32-bit: more digits say nothing
        return self.reached(near, self.threshold, f"relevance {near:.3f}, threshold {self.threshold:g}")


@dataclass(frozen=True)
class ContextRecall(BaseScorer):
    """Of the statements of the truth, which the value is, at least the threshold is in the context."""

    value: ValueTemplate
    threshold: float
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Have the statements attributed; where there are no passages, the prompt is the context."""
        context = "\n\n".join(_as_list(context_texts(sample, instead=prompt_as_text(sample))))
        found = await self.judge.answer(
            ATTRIBUTING,
            sample.case,
            sample.repeat,
            ("context", context),
            ("reference", self.value.text(sample.case)),
        )
        there = sum(one.attributed for one in found.statements)
        return _share(self, there, len(found.statements), "statements of the reference are in the context")


@dataclass(frozen=True)
class ContextRelevance(BaseScorer):
    """Of the pieces of the context, at least the threshold is needed to answer the question."""

    threshold: float
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Have the pieces chosen by their numbers; a number that no piece has makes the answer unreadable."""
        units = split_context(context_texts(sample))
        found = await self.judge.answer(
            CHOOSING, sample.case, sample.repeat, ("question", query_text(sample)), ("context", numbered_list(units))
        )
        chosen = set(found.relevant)
        if not chosen <= set(range(1, len(units) + 1)):
            raise JudgeUnclear(f"the judge {self.judge.model} chose pieces of the context that are not there")
        return _share(self, len(chosen), len(units), "pieces of the context are relevant")


@dataclass(frozen=True)
class ContextFaithfulness(BaseScorer):
    """Of the statements of the output, at least the threshold is borne out by the context."""

    threshold: float
    judge: Judge

    async def score(self, sample: ScorerInput) -> Score:
        """Take the output apart without the context, then check its statements against it; no statement at all scores 0."""
        context = "\n\n".join(_as_list(context_texts(sample)))
        said = await self.judge.answer(
            STATING, sample.case, sample.repeat, ("question", query_text(sample)), ("answer", sample.output)
        )
        if not said.statements:
            return self.reached(0.0, self.threshold, "the output makes no statement")
        found = await self.judge.answer(
            SUPPORTING, sample.case, sample.repeat, ("context", context), ("statements", numbered_list(said.statements))
        )
        if len(found.supported) != len(said.statements):
            raise JudgeUnclear(f"the judge {self.judge.model} did not decide on every statement, each once")
        return _share(self, sum(found.supported), len(said.statements), "statements are borne out by the context")


def _share(question: ContextRecall | ContextRelevance | ContextFaithfulness, part: int, whole: int, words: str) -> Score:
    share = round(part / whole, 12)
    return question.reached(share, question.threshold, f"{part} of {whole} {words}; threshold {question.threshold:g}")


def _as_list(context: list[str] | str) -> list[str]:
    return [context] if isinstance(context, str) else context


def _recall(spec: "ScorerSpec", parts: ScorerDependencies) -> ContextRecall:
    judge = Judge.of(spec, parts.ask)
    return ContextRecall(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), spec.threshold or 0.0, judge)


def _relevance(spec: "ScorerSpec", parts: ScorerDependencies) -> ContextRelevance:
    return ContextRelevance(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0, Judge.of(spec, parts.ask))


def _faithfulness(spec: "ScorerSpec", parts: ScorerDependencies) -> ContextFaithfulness:
    return ContextFaithfulness(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0, Judge.of(spec, parts.ask))


def _answer_relevance(spec: "ScorerSpec", parts: ScorerDependencies) -> AnswerRelevance:
    judge = Judge.of(spec, parts.ask)
    return AnswerRelevance(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0, judge, parts.embed)


SCORER_TYPES: dict[str, ScorerType] = {
    "answer-relevance": ScorerType(
        NOTHING, _answer_relevance, threshold=(0, 1), judged=True, config=judge_settings(), forms=(QUESTIONING,)
    ),
    "context-recall": ScorerType(RUBRIC, _recall, threshold=(0, 1), judged=True, config=judge_settings(), forms=(ATTRIBUTING,)),
    "context-relevance": ScorerType(
        NOTHING, _relevance, threshold=(0, 1), judged=True, config=judge_settings(), forms=(CHOOSING,)
    ),
    "context-faithfulness": ScorerType(NOTHING, _faithfulness, threshold=(0, 1), judged=True, forms=(STATING, SUPPORTING)),
}
