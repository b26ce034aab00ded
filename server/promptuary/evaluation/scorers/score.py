"""The input of a scorer and its result. A scorer that fails has a result too: an error, which neither passes nor fails."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.message import Message
from promptuary.evaluation.conversations.trajectory import Trajectory
from promptuary.evaluation.json_object import JsonObject
from promptuary.models.calls.setup.errors import provider_error_text
from promptuary.prompt.errors import PromptuaryError
from promptuary.prompt.messages.readable_text import message_text
from promptuary.prompt.templates.prepared import Passage

REASON_LIMIT = 500
_BOOLEANS = ("bool", "bool_")
"""The types of a verdict: Python's and NumPy's. A text that a plug-in returns is true for Python, even "false"."""
METRIC = r"^[A-Za-z0-9_][A-Za-z0-9_./ -]{0,99}$"
"""The pattern of a metric's name."""
_NOT_IN_METRICS = re.compile(r"[^A-Za-z0-9_./ -]")


def metric_name(text: str) -> str:
    """Return a text as the name of a metric, other characters replaced."""
    name = _NOT_IN_METRICS.sub("_", text)[:100]
    return name if re.match(METRIC, name) else f"m{name}"[:100]


@dataclass(frozen=True)
class OutputStages:
    """An output on its way through the transforms, as JSON values.

    Attributes:
        provider: after the transform of the model or target.
        case: after the transform of the suite or case, as all its scorers get it.
        value: after the transform of one scorer.
    """

    provider: Any
    case: Any
    value: Any


@dataclass(frozen=True)
class ScorerInput:
    """One output with everything that led to it.

    Attributes:
        case: the case of the dataset.
        output: the text that the model returned.
        messages: the messages that the model received, in OpenAI's form.
        latency_ms: how long the call took, in milliseconds; None for an output that was there already.
        passages: the retrieved passages that were in the prompt, in the order of the query.
        repeat: the number of the repetition, from 0.
        tool_calls: the tool calls that the model requested, each `{name, args, id}`.
        invalid_tool_calls: those whose arguments are no JSON object, each `{name, args, id, error}`.
        refusal: the model's or its provider's refusal; None where it does not refuse.
        finish_reason: why the model stopped, in its provider's word; None where the provider does not report it.
        logprobs: natural logarithms of the probabilities of the output's tokens; None where the model returns none.
        tokens: the numbers of tokens, `input` and `output`; None where they are not known.
        cost: of the call in US dollars, of a cached response as it was then; None where no price is known.
        tools: the tools that the model was offered, in OpenAI's form.
        model: that answered, by the name in the suite; empty where there is none.
        stages: the output as values, before and after the transforms; None where no transform changed it.
        context: what a judge reads as context in place of variables and passages; None for these.
        metadata: what the model or application stated beside its output.
        sensitive: whether a sensitive value is in the prompt, so that error texts of other programs may repeat it.
        trajectory: the steps that led to the output; None where an application does not state its calls of tools.
        transcript: of a conversation as a whole, all its turns as one text; None for one answer.
    """

    case: Case
    output: str
    messages: tuple[Message, ...] = ()
    latency_ms: float | None = 0.0
    passages: tuple[Passage, ...] = ()
    repeat: int = 0
    tool_calls: tuple[JsonObject, ...] = ()
    invalid_tool_calls: tuple[JsonObject, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None
    logprobs: tuple[float, ...] | None = None
    tokens: Mapping[str, int] | None = None
    cost: float | None = None
    tools: tuple[JsonObject, ...] = ()
    model: str = ""
    stages: "OutputStages | None" = None
    context: str | tuple[str, ...] | None = None
    metadata: JsonObject = field(default_factory=dict)
    sensitive: bool = False
    trajectory: Trajectory | None = None
    transcript: str | None = None

    @property
    def judged_output(self) -> str:
        """What a judge reads as the output: the answer, or a conversation as a whole."""
        return self.output if self.transcript is None else self.transcript

    @property
    def value(self) -> Any:
        """The output as a value: the text of the model, or what the transforms made of it."""
        return self.output if self.stages is None else self.stages.value

    @property
    def prompt_text(self) -> str:
        """The messages as one text: a single message as it is, several each under its role."""
        if len(self.messages) == 1:
            return message_text(self.messages[0])
        return "\n\n".join(f"[{message['role']}]\n{message_text(message)}" for message in self.messages)

    @property
    def query(self) -> str:
        """The question that context answers: the case's variable `query`, else the prompt's last message of the user."""
        query = self.case.vars.get("query")
        if isinstance(query, str) and query:
            return query
        user_texts = [message_text(message) for message in self.messages if message["role"] == "user"]
        return user_texts[-1] if user_texts else self.prompt_text


@dataclass(frozen=True)
class Score:
    """The result of a scorer: a verdict with a score, or an error and neither of the two.

    A score is in [0, 1]; only that of a suite's own JavaScript may be any number, also one that is not finite.

    Attributes:
        name: of the scorer.
        passed: the verdict; None for an error.
        score: None for an error.
        reason: one line for people, at most 500 characters.
        error: why there is no verdict; None where there is one.
        parts: the scores that this one combines.
        unbounded: whether the score may be any number, NaN and the infinite ones too.

    Raises:
        ValueError: for a verdict without a score, or an error beside a verdict.
    """

    name: str
    passed: bool | None
    score: float | None
    reason: str
    error: str | None = None
    parts: tuple["WeightedScore", ...] = ()
    unbounded: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.error is None:
            known = self.passed is not None and type(self.passed).__name__ in _BOOLEANS and self.score is not None
            if not known or not (self.unbounded or 0 <= (self.score or 0) <= 1):
                raise ValueError(f"scorer '{self.name}' returned no verdict with a score in [0, 1]")
        elif self.passed is not None or self.score is not None:
            raise ValueError(f"scorer '{self.name}' returned an error and a verdict")

    @classmethod
    def from_error(cls, name: str, error: str, parts: tuple["WeightedScore", ...] = ()) -> "Score":
        """Build the result of a scorer that failed."""
        return cls(name, passed=None, score=None, reason="", error=error[:REASON_LIMIT], parts=parts)

    @classmethod
    def binary(cls, name: str, holds: bool, reason: str, *, inverse: bool = False) -> "Score":
        """Build a pass with score 1 if the condition is met, else a fail with score 0; `inverse` swaps the two."""
        passed = holds != inverse
        return cls(name, passed=passed, score=float(passed), reason=reason[:REASON_LIMIT])


@dataclass(frozen=True)
class WeightedScore:
    """One score among those that are combined.

    Attributes:
        score: the score.
        weight: its share, 0 or more; a score of weight 0 is shown and decides nothing.
        metric: the metric that it contributes to; None where it was given no name.
        from_case: whether the scorer is the case's own, not the suite's.
    """

    score: Score
    weight: float = 1.0
    metric: str | None = None
    from_case: bool = False


@dataclass(frozen=True)
class BaseScorer:
    """The common part of all scorers of this package.

    Attributes:
        name: of the metric.
        weight: the share in the case's score.
        inverse: whether `not-` inverts the verdict.
        waits: whether the class's `score` may wait for something; if not, it needs neither a task nor a time limit.
    """

    waits: ClassVar[bool] = True

    name: str
    weight: float
    inverse: bool

    def pass_or_fail(self, holds: bool, reason: str) -> Score:
        """Return the score of a yes or no: 1 or 0, inverted by `not-`."""
        return Score.binary(self.name, holds, reason, inverse=self.inverse)

    def graded(self, passed: bool, score: float, reason: str) -> Score:
        """Return a verdict with a score in [0, 1]; `not-` inverts both, the score to one minus it."""
        return Score(self.name, passed != self.inverse, 1 - score if self.inverse else score, reason[:REASON_LIMIT])

    def compared(self, score: float, threshold: float, reason: str) -> Score:
        """Return a score, clipped to [0, 1], that passes at the threshold or above; `not-` inverts both.

        Raises:
            ValueError: for a score that is no number, which would be below every threshold.
        """
        if math.isnan(score):
            raise ValueError(f"scorer '{self.name}' computed no number")
        return self.graded(score >= threshold, min(1.0, max(0.0, score)), reason)


class Scorer(Protocol):
    """Scores an output. A scorer of weight 0 never fails a case."""

    @property
    def name(self) -> str:
        """The metric's name, unique in a suite."""

    @property
    def weight(self) -> float:
        """The share in the case's score, 0 or more."""

    async def score(self, sample: ScorerInput) -> Score:
        """Return the score of one output; raise where there is none."""


_METHODS: ContextVar[list[str] | None] = ContextVar("scoring_methods", default=None)


def note_method(method: str) -> None:
    """Record how a score is reached, where that is not the usual way; it is added to the score's reason."""
    methods = _METHODS.get()
    if methods is not None and method not in methods:
        methods.append(method)


@contextmanager
def noted_methods() -> Iterator[list[str]]:
    """Yield the list in which the block's methods are recorded, those of its tasks too."""
    methods: list[str] = []
    token = _METHODS.set(methods)
    try:
        yield methods
    finally:
        _METHODS.reset(token)


def with_methods(score: Score, methods: Sequence[str]) -> Score:
    """Return a score whose reason ends with the methods by which it was reached."""
    if not methods or score.error is not None:
        return score
    note = f" [{'; '.join(methods)}]"
    return replace(score, reason=score.reason[: REASON_LIMIT - len(note)] + note)


async def run_scorer(scorer: Scorer, sample: ScorerInput) -> Score:
    """Return the score of an output, or an error score for whatever the scorer raises; only a cancellation passes through."""
    try:
        with noted_methods() as methods:
            score = await scorer.score(sample)
        if not isinstance(score, Score):
            raise TypeError(f"scorer '{scorer.name}' returned no score")
        return with_methods(score, methods)
    except Exception as error:
        return Score.from_error(scorer.name, error_text(error, sensitive=sample.sensitive))


def score_at_once(scorer: Scorer, sample: ScorerInput) -> Score | None:
    """Return the score by a scorer that never waits, as `run_scorer`; None for one that may wait."""
    if getattr(scorer, "waits", True):
        return None
    scoring = run_scorer(scorer, sample)
    try:
        scoring.send(None)
    except StopIteration as stop:
        score: Score = stop.value
        return score
    scoring.close()
    raise AssertionError(f"the scorer '{scorer.name}' waits")


def error_text(error: Exception, *, sensitive: bool) -> str:
    """Return one line that describes an error; `sensitive` leaves out its message, as `redacted_error_text`."""
    if sensitive:
        return redacted_error_text(error)
    if refused := provider_error_text(error):
        return refused
    message = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, PromptuaryError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def redacted_error_text(error: Exception) -> str:
    """Return an error's type and HTTP status alone, because its message may repeat a sensitive value."""
    status = getattr(error, "status_code", None)
    name = f"{type(error).__name__} {status}" if isinstance(status, int) else type(error).__name__
    return f"{name} (its message is left out: the prompt has a sensitive variable)"
