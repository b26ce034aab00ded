"""Scorers that measure an output: its distance from a text, its words, the time that it took."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.kind import COUNT, NOTHING, REFERENCE, Kind, ScorerParts
from promptuary.evaluation.scorers.score import Question, Sample, Score
from promptuary.evaluation.scorers.value import Value, value_of

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

EDITS = 5


@dataclass(frozen=True)
class Levenshtein(Question):
    """At most `threshold` characters are to be inserted, deleted or replaced to make the output the text."""

    value: Value
    threshold: float

    async def score(self, sample: Sample) -> Score:
        """Count the edits."""
        from rapidfuzz.distance import Levenshtein as Distance

        edits = Distance.distance(sample.output, self.value.text(sample.case))
        return self.answer(edits <= self.threshold, f"{edits} edits, where {self.threshold:g} are allowed")


@dataclass(frozen=True)
class WordCount(Question):
    """The output has from `low` to `high` words, as white space parts them; None is no bound."""

    low: int
    high: int | None

    @classmethod
    def of(cls, name: str, weight: float, inverse: bool, value: Any) -> "WordCount":
        """Read the value: a number, or an object of `min` and `max`."""
        low, high = (value.get("min"), value.get("max")) if isinstance(value, dict) else (value, value)
        return cls(name, weight, inverse, low or 0, high)

    async def score(self, sample: Sample) -> Score:
        """Count the words."""
        words = len(sample.output.split())
        wanted = f"from {self.low} to {self.high}" if self.high is not None else f"{self.low} or more"
        return self.answer(self.low <= words and (self.high is None or words <= self.high), f"{words} words; wanted {wanted}")


@dataclass(frozen=True)
class Latency(Question):
    """The output came within `threshold` milliseconds."""

    threshold: float

    async def score(self, sample: Sample) -> Score:
        """Compare the time that was taken when the output was made."""
        return self.answer(
            sample.latency_ms <= self.threshold, f"{sample.latency_ms:.0f} ms, where {self.threshold:g} are allowed"
        )


def _levenshtein(spec: "ScorerSpec", _: ScorerParts) -> Levenshtein:
    return Levenshtein(
        spec.metric, spec.weight, spec.inverse, value_of(spec.value), EDITS if spec.threshold is None else spec.threshold
    )


KINDS: dict[str, Kind] = {
    "levenshtein": Kind(REFERENCE, _levenshtein, threshold=(0, 1_000_000)),
    "word-count": Kind(COUNT, lambda spec, _: WordCount.of(spec.metric, spec.weight, spec.inverse, spec.value)),
    "latency": Kind(
        NOTHING,
        lambda spec, _: Latency(spec.metric, spec.weight, spec.inverse, spec.threshold or 0.0),
        threshold=(0, 3_600_000),
        needs_threshold=True,
    ),
}
