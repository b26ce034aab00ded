"""Scorers that measure an output and its call: edit distance, words, tokens, time, cost, perplexity, finish reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, NoValue, ScorerSettings, ScorerType, ThresholdRange
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import CountValue, ReferenceValue, TextValue, is_count
from promptuary.prompt.errors import Invalid
from promptuary.prompt.text import format_usd

DEFAULT_EDITS = 5
LIMIT, MILLISECONDS_LIMIT = 1_000_000, 3_600_000
Unit = Literal["words", "tokens"]


@dataclass(frozen=True)
class Levenshtein(BaseScorer):
    """Passes if at most `threshold` characters are inserted, deleted or replaced between the output and the text."""

    waits: ClassVar[bool] = False

    reference: ValueTemplate
    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Count the edits."""
        from rapidfuzz.distance import Levenshtein as Distance

        edits = Distance.distance(sample.output, self.reference.text(sample.case))
        return self.pass_or_fail(edits <= self.threshold, f"{edits} edits, where {self.threshold:g} are allowed")


@dataclass(frozen=True)
class CountRange:
    """A range of counts.

    Attributes:
        low: the lowest count that passes.
        high: the highest; None where there is no bound.
    """

    low: int
    high: int | None

    @classmethod
    def of(cls, value: Any) -> "CountRange":
        """Read a filled value: a number, or an object of `min` and `max`.

        Raises:
            Invalid: for a template's text that is no whole number.
        """
        low, high = (value.get("min"), value.get("max")) if isinstance(value, Mapping) else (value, value)
        return cls(0 if low is None else _count(low), None if high is None else _count(high))

    def __contains__(self, count: int) -> bool:
        """Return whether a count is in the range."""
        return self.low <= count and (self.high is None or count <= self.high)

    def __str__(self) -> str:
        """Return the range for people."""
        return f"{self.low} or more" if self.high is None else f"from {self.low} to {self.high}"


@dataclass(frozen=True)
class OutputCount(BaseScorer):
    """Passes if the number of words (separated by white space) or of tokens (as the provider counts) is in the range."""

    waits: ClassVar[bool] = False

    range_: ValueTemplate
    unit: Unit

    async def score(self, sample: ScorerInput) -> Score:
        """Count the words or tokens."""
        expected = CountRange.of(self.range_.fill(sample.case))
        count = len(sample.output.split()) if self.unit == "words" else _output_tokens(sample)
        return self.pass_or_fail(count in expected, f"{count} {self.unit}; expected {expected}")


def _count(value: Any) -> int:
    number = value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        number = int(value)
    if not is_count(number):
        raise Invalid(f"'{str(value)[:50]}' is no whole number to count to")
    return int(number)


def _output_tokens(sample: ScorerInput) -> int:
    count = (sample.tokens or {}).get("output")
    if count is None:
        raise Invalid("the model's provider does not report how many tokens the output has")
    return count


@dataclass(frozen=True)
class Latency(BaseScorer):
    """Passes if the output came within `threshold` milliseconds."""

    waits: ClassVar[bool] = False

    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the time that was measured when the output was made."""
        if sample.latency_ms is None:
            raise Invalid("how long the answer took is not known, since the output was there already")
        reason = f"{sample.latency_ms:.0f} ms, where {self.threshold:g} are allowed"
        return self.pass_or_fail(sample.latency_ms <= self.threshold, reason)


@dataclass(frozen=True)
class Cost(BaseScorer):
    """Passes if the call cost at most `threshold` US dollars."""

    waits: ClassVar[bool] = False

    threshold: float

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the cost of the call; where no price is known there is no score."""
        if sample.cost is None:
            raise Invalid("the cost is not known; set the model's price in the suite's `prices`")
        cost, threshold = (format_usd(amount, significant_digits=6) for amount in (sample.cost, self.threshold))
        return self.pass_or_fail(sample.cost <= self.threshold, f"{cost}, where {threshold} is allowed")


@dataclass(frozen=True)
class Perplexity(BaseScorer):
    """Passes if the output's perplexity, exp of minus the mean log probability of its tokens, is at most `threshold`.

    With `normalized` the score is 1 / (1 + perplexity) and passes at the threshold or above; else it is 1 or 0. Without a
    threshold it always passes, with `not-` too.
    """

    waits: ClassVar[bool] = False

    threshold: float | None
    normalized: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Compute the perplexity; where the model returns no log probabilities there is no score."""
        if not sample.logprobs:
            raise Invalid("the model returned no log probabilities; request them in its settings, where its provider has them")
        perplexity = math.exp(min(700.0, -math.fsum(sample.logprobs) / len(sample.logprobs)))
        limit = "" if self.threshold is None else f", threshold {self.threshold:g}"
        if not self.normalized:
            passed = self.threshold is None or (perplexity <= self.threshold) != self.inverse
            return Score.binary(self.name, passed, f"perplexity {perplexity:.2f}{limit}")
        score = 1 / (1 + perplexity)
        passed = self.threshold is None or (score >= self.threshold) != self.inverse
        return Score(self.name, passed, 1 - score if self.inverse else score, f"perplexity score {score:.3f}{limit}")


@dataclass(frozen=True)
class FinishReason(BaseScorer):
    """Passes if the model stopped for this reason, in its provider's word and in any case."""

    waits: ClassVar[bool] = False

    expected: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the reasons; a provider that reports none fails."""
        expected, actual = self.expected.text(sample.case), sample.finish_reason
        holds = bool(actual) and expected.lower() == (actual or "").lower()
        return self.pass_or_fail(holds, f"finished with {actual or 'no reason given'}")


def _levenshtein(settings: ScorerSettings[ReferenceValue, NoConfig], _: ScorerDependencies) -> Levenshtein:
    return Levenshtein(*settings.base, settings.value.template, settings.known_threshold)


def _finish_reason(settings: ScorerSettings[TextValue, NoConfig], _: ScorerDependencies) -> FinishReason:
    return FinishReason(*settings.base, settings.value.template)


def _latency(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> Latency:
    return Latency(*settings.base, settings.known_threshold)


def _cost(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> Cost:
    return Cost(*settings.base, settings.known_threshold)


def _count_type(unit: Unit) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[CountValue, NoConfig], _: ScorerDependencies) -> OutputCount:
        return OutputCount(*settings.base, settings.value.template, unit)

    return ScorerType(CountValue, build)


def _perplexity_type(threshold: ThresholdRange, *, normalized: bool) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[NoValue, NoConfig], _: ScorerDependencies) -> Perplexity:
        return Perplexity(*settings.base, settings.threshold, normalized)

    return ScorerType(NoValue, build, threshold=threshold)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "levenshtein": ScorerType(ReferenceValue, _levenshtein, threshold=ThresholdRange(0, LIMIT, default=DEFAULT_EDITS)),
    "word-count": _count_type("words"),
    "token-count": _count_type("tokens"),
    "finish-reason": ScorerType(TextValue, _finish_reason),
    "cost": ScorerType(NoValue, _cost, threshold=ThresholdRange(0, LIMIT, required=True)),
    "perplexity": _perplexity_type(ThresholdRange(0, LIMIT), normalized=False),
    "perplexity-score": _perplexity_type(ThresholdRange(0, 1), normalized=True),
    "latency": ScorerType(NoValue, _latency, threshold=ThresholdRange(0, MILLISECONDS_LIMIT, required=True)),
}
