"""Scorers that measure an output and its call: distance from a text, words, tokens, time, cost, perplexity, why it ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import COUNT, NOTHING, REFERENCE, TEXT, ScorerDependencies, ScorerType, is_count
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value
from promptuary.prompt.errors import Invalid
from promptuary.prompt.text import format_usd

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

DEFAULT_EDITS = 5


@dataclass(frozen=True)
class Levenshtein(BaseScorer):
    """At most `threshold` characters are to be inserted, deleted or replaced to make the output the text."""

    value: ValueTemplate
    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Count the edits."""
        from rapidfuzz.distance import Levenshtein as Distance

        edits = Distance.distance(sample.output, self.value.text(sample.case))
        return self.answer(edits <= self.threshold, f"{edits} edits, where {self.threshold:g} are allowed")


@dataclass(frozen=True)
class OutputCount(BaseScorer):
    """The output has so many words (as white space parts them) or tokens (as the provider counts): a number or a range."""

    value: ValueTemplate
    of: Literal["words", "tokens"]

    async def score(self, sample: ScorerInput) -> Score:
        """Count."""
        low, high = bounds(self.value.of(sample.case))
        count = len(sample.output.split()) if self.of == "words" else _tokens(sample)
        wanted = f"from {low} to {high}" if high is not None else f"{low} or more"
        return self.answer(low <= count and (high is None or count <= high), f"{count} {self.of}; wanted {wanted}")


def bounds(value: Any) -> tuple[int, int | None]:
    """Read the value: a number, or an object of `min` and `max`; None is no bound.

    Raises:
        Invalid: for what a template made that is no number.
    """
    low, high = (value.get("min"), value.get("max")) if isinstance(value, Mapping) else (value, value)
    numbers = [None if one is None else _number(one) for one in (low, high)]
    return numbers[0] or 0, numbers[1]


def _number(value: Any) -> int:
    number = value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        number = int(value)
    if not is_count(number):
        raise Invalid(f"'{str(value)[:50]}' is no whole number to count to")
    return int(number)


def _tokens(sample: ScorerInput) -> int:
    count = (sample.tokens or {}).get("output")
    if count is None:
        raise Invalid("the model's provider does not say how many tokens the answer has")
    return count


@dataclass(frozen=True)
class Latency(BaseScorer):
    """The output came within `threshold` milliseconds."""

    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the time that was taken when the output was made."""
        return self.answer(
            sample.latency_ms <= self.threshold, f"{sample.latency_ms:.0f} ms, where {self.threshold:g} are allowed"
        )


@dataclass(frozen=True)
class Cost(BaseScorer):
    """The call cost at most `threshold` US dollars."""

    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the cost that was counted; where no price is known there is no answer."""
        if sample.cost is None:
            raise Invalid("the cost is not known; give the model's price in the suite's `prices`")
        cost, threshold = (format_usd(amount, significant_digits=6) for amount in (sample.cost, self.threshold))
        return self.answer(sample.cost <= self.threshold, f"{cost}, where {threshold} is allowed")


@dataclass(frozen=True)
class Perplexity(BaseScorer):
    """The answer's perplexity, exp of minus the mean log probability of its tokens, is at most `threshold`, if there is one.

    With `normal` the score is 1 / (1 + perplexity), which is to be at least the threshold; else it is 1 or 0. Without a
    threshold it always passes, with `not-` too.
    """

    threshold: float | None
    normal: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Average the log probabilities; where the model gives none there is no answer."""
        if not sample.logprobs:
            raise Invalid("the model gave no log probabilities; ask for them in its settings, where its provider has them")
        perplexity = math.exp(min(700.0, -math.fsum(sample.logprobs) / len(sample.logprobs)))
        if not self.normal:
            passed = self.threshold is None or (perplexity <= self.threshold) != self.inverse
            return Score.binary(self.name, passed, f"perplexity {perplexity:.2f}{_limit(self.threshold)}")
        score = 1 / (1 + perplexity)
        passed = self.threshold is None or (score >= self.threshold) != self.inverse
        reason = f"perplexity score {score:.3f}{_limit(self.threshold)}"
        return Score(self.name, passed, 1 - score if self.inverse else score, reason)


def _limit(threshold: float | None) -> str:
    return "" if threshold is None else f", threshold {threshold:g}"


@dataclass(frozen=True)
class FinishReason(BaseScorer):
    """The model stopped for this reason, in its provider's word and in any case; one that it does not give is none."""

    value: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the words."""
        wanted = self.value.text(sample.case)
        given = sample.finish_reason
        return self.answer(
            bool(given) and wanted.lower() == (given or "").lower(), f"finished with {given or 'no reason given'}"
        )


def _levenshtein(spec: "ScorerSpec", _: ScorerDependencies) -> Levenshtein:
    return Levenshtein(
        spec.metric,
        spec.weight,
        spec.inverse,
        parse_value(spec.value),
        DEFAULT_EDITS if spec.threshold is None else spec.threshold,
    )


SCORER_TYPES: dict[str, ScorerType] = {
    "levenshtein": ScorerType(REFERENCE, _levenshtein, threshold=(0, 1_000_000)),
    "word-count": ScorerType(
        COUNT, lambda spec, _: OutputCount(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), "words")
    ),
    "token-count": ScorerType(
        COUNT, lambda spec, _: OutputCount(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), "tokens")
    ),
    "finish-reason": ScorerType(
        TEXT, lambda spec, _: FinishReason(spec.metric, spec.weight, spec.inverse, parse_value(spec.value))
    ),
    "cost": ScorerType(
        NOTHING,
        lambda spec, _: Cost(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0),
        threshold=(0, 1_000_000),
        needs_threshold=True,
    ),
    "perplexity": ScorerType(
        NOTHING,
        lambda spec, _: Perplexity(spec.metric, spec.weight, spec.inverse, spec.threshold, False),
        threshold=(0, 1_000_000),
    ),
    "perplexity-score": ScorerType(
        NOTHING,
        lambda spec, _: Perplexity(spec.metric, spec.weight, spec.inverse, spec.threshold, True),
        threshold=(0, 1),
    ),
    "latency": ScorerType(
        NOTHING,
        lambda spec, _: Latency(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0),
        threshold=(0, 3_600_000),
        needs_threshold=True,
    ),
}
