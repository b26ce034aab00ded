"""Scorers of answers from a context, by a judging model: whether question, context, answer and reference fit each other.

They have promptfoo's names and compute its ratios, after RAGAS (Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented
Generation", 2023). The instructions are our own, and what is counted is counted here, not by the judge.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, JsonValue

from promptuary.embedding.shared_embedding import SharedEmbedding
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.judge.judge import (
    UNTRUSTED_TEXT_NOTE,
    Judge,
    JudgeConfig,
    JudgeUnclear,
    build_judge,
    numbered_list,
)
from promptuary.evaluation.scorers.judge.retrieved_context import context_pieces, context_text
from promptuary.evaluation.scorers.judge_task import JudgeOutput, judge_task
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, NoValue, ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import RubricValue

QUESTION_COUNT = 3
_TEXTS: JsonValue = {"type": "array", "items": {"type": "string"}, "maxItems": 100}
Texts = list[Annotated[str, Field(min_length=1)]]


class QuestionsOutput(JudgeOutput):
    """Questions that a text answers."""

    questions: Annotated[Texts, Field(min_length=QUESTION_COUNT, max_length=QUESTION_COUNT)]


class AttributedStatement(JudgeOutput):
    """One statement, and whether the context contains it."""

    statement: str
    attributed: bool


class AttributionsOutput(JudgeOutput):
    """The statements of a reference."""

    statements: Annotated[list[AttributedStatement], Field(min_length=1)]


class RelevantPiecesOutput(JudgeOutput):
    """The numbers of the pieces of the context that are needed."""

    relevant: list[int]


class StatementsOutput(JudgeOutput):
    """The statements of a text."""

    statements: Texts


class SupportedOutput(JudgeOutput):
    """Whether the context supports each statement, in the order of the statements."""

    supported: list[bool]


QUESTIONING = judge_task(
    "questions",
    f"You read an answer and guess what was asked. Write {QUESTION_COUNT} different questions, each one that this very "
    f"answer replies to, in the answer's language.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `questions`, a list of "
    f"{QUESTION_COUNT} texts.",
    QuestionsOutput,
    questions={"type": "array", "items": {"type": "string"}, "minItems": QUESTION_COUNT, "maxItems": QUESTION_COUNT},
)
ATTRIBUTING = judge_task(
    "attributions",
    "You check whether a context holds what a reference says. Part the reference into its single statements; say of each "
    f"whether it can be found in the context or follows from it alone.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: "
    "`statements`, a list of objects, each with `statement` and `attributed`, true or false.",
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
    "You choose from the numbered pieces of a context those without which a question cannot be answered as well. A piece "
    f"that is merely about the same subject does not count.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: `relevant`, the "
    "list of their numbers, empty if there is none.",
    RelevantPiecesOutput,
    relevant={"type": "array", "items": {"type": "integer"}, "maxItems": 1000},
)
STATING = judge_task(
    "statements",
    "You take an answer to a question apart into single statements, each a sentence that can be understood and checked by "
    f"itself, with names in place of pronouns. Leave nothing out and add nothing.{UNTRUSTED_TEXT_NOTE} Answer with a JSON "
    "object: `statements`, a list of sentences, empty if the answer claims nothing.",
    StatementsOutput,
    statements=_TEXTS,
)
SUPPORTING = judge_task(
    "supported",
    "You check numbered statements against a context. A statement is supported if the context says it, or if it follows "
    f"from the context alone; what you know besides does not count.{UNTRUSTED_TEXT_NOTE} Answer with a JSON object: "
    "`supported`, a list of true or false, one for each statement in their order.",
    SupportedOutput,
    supported={"type": "array", "items": {"type": "boolean"}, "maxItems": 100},
)


@dataclass(frozen=True)
class _ThresholdScorer(BaseScorer):
    """The common part of these scorers: a threshold, and the judge.

    Attributes:
        threshold: from 0 to 1.
        judge: the judging model.
    """

    threshold: float
    judge: Judge

    def ratio(self, part: int, whole: int, description: str) -> Score:
        """Return the score of a share of what was counted."""
        share = round(part / whole, 12)
        return self.compared(share, self.threshold, f"{part} of {whole} {description}; threshold {self.threshold:g}")


@dataclass(frozen=True)
class AnswerRelevance(_ThresholdScorer):
    """Passes if questions made from the output are near the real question, by the mean cosine of their embeddings."""

    embed: SharedEmbedding

    async def score(self, sample: ScorerInput) -> Score:
        """Return the similarity to the real question: the case's variable `query`, else the prompt."""
        query = sample.case.vars.get("query")
        question = query if isinstance(query, str) and query else sample.prompt_text
        output = await self.judge.run(QUESTIONING, sample, ("answer", sample.output))
        rows = await self.embed([question, *output.questions])
        relevance = round(float((rows[1:] @ rows[0]).mean()), 6)  # embeddings are 32-bit: more digits have no meaning
        return self.compared(relevance, self.threshold, f"relevance {relevance:.3f}, threshold {self.threshold:g}")


@dataclass(frozen=True)
class ContextRecall(_ThresholdScorer):
    """Passes if enough statements of the reference, which is the value, are in the context."""

    reference: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Return the share of attributed statements; where there are no passages, the prompt is the context."""
        judged = await self.judge.run(
            ATTRIBUTING,
            sample,
            ("context", context_text(sample, default=sample.prompt_text)),
            ("reference", self.reference.text(sample.case)),
        )
        attributed = sum(statement.attributed for statement in judged.statements)
        return self.ratio(attributed, len(judged.statements), "statements of the reference are in the context")


@dataclass(frozen=True)
class ContextRelevance(_ThresholdScorer):
    """Passes if enough pieces of the context are needed to answer the question."""

    async def score(self, sample: ScorerInput) -> Score:
        """Return the share of pieces that the judge chose by number; a number that no piece has is an error."""
        pieces = context_pieces(sample)
        judged = await self.judge.run(CHOOSING, sample, ("question", sample.query), ("context", numbered_list(pieces)))
        chosen = set(judged.relevant)
        if not chosen <= set(range(1, len(pieces) + 1)):
            raise JudgeUnclear(f"the judge {self.judge.model} chose pieces of the context that are not there")
        return self.ratio(len(chosen), len(pieces), "pieces of the context are relevant")


@dataclass(frozen=True)
class ContextFaithfulness(_ThresholdScorer):
    """Passes if the context supports enough statements of the output."""

    async def score(self, sample: ScorerInput) -> Score:
        """Split the output into statements without the context, then check them against it; no statement scores 0."""
        context = context_text(sample)
        stated = await self.judge.run(STATING, sample, ("question", sample.query), ("answer", sample.output))
        if not stated.statements:
            return self.compared(0.0, self.threshold, "the output makes no statement")
        sections = ("context", context), ("statements", numbered_list(stated.statements))
        judged = await self.judge.run(SUPPORTING, sample, *sections)
        if len(judged.supported) != len(stated.statements):
            raise JudgeUnclear(f"the judge {self.judge.model} did not decide on every statement, each once")
        return self.ratio(sum(judged.supported), len(stated.statements), "statements are supported by the context")


def _recall(settings: ScorerSettings[RubricValue, JudgeConfig], dependencies: ScorerDependencies) -> ContextRecall:
    judge = build_judge(settings, dependencies)
    return ContextRecall(*settings.base, settings.known_threshold, judge, settings.value.template)


def _relevance(settings: ScorerSettings[NoValue, JudgeConfig], dependencies: ScorerDependencies) -> ContextRelevance:
    return ContextRelevance(*settings.base, settings.known_threshold, build_judge(settings, dependencies))


def _faithfulness(settings: ScorerSettings[NoValue, NoConfig], dependencies: ScorerDependencies) -> ContextFaithfulness:
    return ContextFaithfulness(
        *settings.base, settings.known_threshold, Judge(settings.model, dependencies.ask, None, dependencies.without_schema)
    )


def _answer_relevance(settings: ScorerSettings[NoValue, JudgeConfig], dependencies: ScorerDependencies) -> AnswerRelevance:
    judge = build_judge(settings, dependencies)
    return AnswerRelevance(*settings.base, settings.known_threshold, judge, dependencies.shared_embedding)


_THRESHOLD = ThresholdRange(0, 1, default=0.0)
SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "answer-relevance": ScorerType(NoValue, _answer_relevance, threshold=_THRESHOLD, tasks=(QUESTIONING,), config=JudgeConfig),
    "context-recall": ScorerType(
        RubricValue, _recall, threshold=_THRESHOLD, tasks=(ATTRIBUTING,), config=JudgeConfig, reads_context=True
    ),
    "context-relevance": ScorerType(
        NoValue, _relevance, threshold=_THRESHOLD, tasks=(CHOOSING,), config=JudgeConfig, reads_context=True
    ),
    "context-faithfulness": ScorerType(
        NoValue, _faithfulness, threshold=_THRESHOLD, tasks=(STATING, SUPPORTING), reads_context=True
    ),
}
