"""What a scorer sees and what it answers. A scorer that fails answers too: with an error, which is neither pass nor fail."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promptuary.evaluation.case import Case
from promptuary.prompt.errors import PromptuaryError
from promptuary.prompt.templates.prepared import Passage

_WORDS_LIMIT = 500
METRIC = r"^[A-Za-z0-9_][A-Za-z0-9_./ -]{0,99}$"
"""What a metric may be called."""


@dataclass(frozen=True)
class ScorerInput:
    """One output with all that led to it.

    Attributes:
        case: what was asked.
        output: what the model answered, as text.
        messages: what the model saw.
        latency_ms: how long the answer took.
        passages: what of the context was in the prompt.
        repeat: 0 for the first.
        tool_calls: what the model asked to be called, each `{name, args, id}`.
        finish_reason: why it stopped, in its provider's word; None where it did not say.
        logprobs: of the answer's tokens, natural logarithms; None where the model gives none.
        tokens: `input` and `output` of the call; None where it is not known.
        cost: of the call in US dollars; None where no price is known.
        tools: what the model was offered to call, in OpenAI's form.
        discreet: whether a sensitive value went into the prompt, so that words of other programs may repeat it.
    """

    case: Case
    output: str
    messages: tuple[Mapping[str, str], ...] = ()
    latency_ms: float = 0.0
    passages: tuple[Passage, ...] = ()
    repeat: int = 0
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str | None = None
    logprobs: tuple[float, ...] | None = None
    tokens: Mapping[str, int] | None = None
    cost: float | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    discreet: bool = False


@dataclass(frozen=True)
class Score:
    """A scorer's answer: a verdict and a finite score in [0, 1], or an error and neither of the two.

    `parts` are the answers that it was put together from.
    """

    name: str
    passed: bool | None
    score: float | None
    reason: str
    error: str | None = None
    parts: tuple["WeightedScore", ...] = ()

    def __post_init__(self) -> None:
        if self.error is None:
            if self.passed is None or self.score is None or not (math.isfinite(self.score) and 0 <= self.score <= 1):
                raise ValueError(f"scorer '{self.name}' gave no verdict with a score in [0, 1]")
        elif self.passed is not None or self.score is not None:
            raise ValueError(f"scorer '{self.name}' gave an error and a verdict")

    @classmethod
    def failed(cls, name: str, error: str, parts: tuple["WeightedScore", ...] = ()) -> "Score":
        """Give the score of a scorer that could not tell."""
        return cls(name, passed=None, score=None, reason="", error=error[:_WORDS_LIMIT], parts=parts)

    @classmethod
    def binary(cls, name: str, holds: bool, reason: str, *, inverse: bool = False) -> "Score":
        """Give 1 and a pass for what holds, 0 and a fail for what does not; `inverse` turns both."""
        passed = holds != inverse
        return cls(name, passed=passed, score=float(passed), reason=reason[:_WORDS_LIMIT])


@dataclass(frozen=True)
class WeightedScore:
    """One answer among those that are put together.

    Attributes:
        score: the answer.
        weight: its share, 0 or more; an answer of weight 0 is only shown.
        metric: what it adds to; None where it was given no name.
        own: whether it is the case's own, not the suite's.
    """

    score: Score
    weight: float = 1.0
    metric: str | None = None
    own: bool = False


@dataclass(frozen=True)
class BaseScorer:
    """What every scorer of this folder is: a metric's name, its weight, and whether `not-` turns its verdict."""

    name: str
    weight: float
    inverse: bool

    def answer(self, holds: bool, reason: str) -> Score:
        """Give the score of a plain yes or no."""
        return Score.binary(self.name, holds, reason, inverse=self.inverse)

    def reached(self, score: float, threshold: float, reason: str) -> Score:
        """Give a score in [0, 1] that passes at the threshold or above; `not-` turns both, the score to one minus it."""
        within = min(1.0, max(0.0, score))
        return Score(
            self.name, (score >= threshold) != self.inverse, 1 - within if self.inverse else within, reason[:_WORDS_LIMIT]
        )


class Scorer(Protocol):
    """A question about an output. `weight` is its share in the case's score; 0 never fails a case."""

    @property
    def name(self) -> str:
        """The metric's name, unique in a suite."""

    @property
    def weight(self) -> float:
        """The share in the case's score, 0 or more."""

    async def score(self, sample: ScorerInput) -> Score:
        """Answer for one output; raise when there is no answer."""


async def run_scorer(scorer: Scorer, sample: ScorerInput, *, discreet: bool = False) -> Score:
    """Ask a scorer, and turn whatever it raises into an error score; only a cancellation passes through.

    Args:
        scorer: answers, or raises.
        sample: what it is asked about.
        discreet: leaves an error's words out, because they may repeat a sensitive value.
    """
    try:
        return await scorer.score(sample)
    except Exception as error:
        return Score.failed(scorer.name, error_text(error, discreet=discreet))


def error_text(error: Exception, *, discreet: bool) -> str:
    """Say why there is no score, in a line; `discreet` leaves the error's words out."""
    if discreet:
        return redacted_error_text(error)
    words = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, PromptuaryError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def redacted_error_text(error: Exception) -> str:
    """Name an error by its kind and HTTP status alone: its words may repeat what it was about."""
    status = getattr(error, "status_code", None)
    kind = f"{type(error).__name__} {status}" if isinstance(status, int) else type(error).__name__
    return f"{kind} (its words are left out: the prompt has a sensitive variable)"
