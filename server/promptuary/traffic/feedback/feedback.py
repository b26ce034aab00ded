"""Feedback and the calls that it is about, as values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promptuary.traffic.calls.model_call import Evaluation
from promptuary.traffic.counters.counts import SECONDS_OF_AN_HOUR
from promptuary.traffic.counters.store import SeriesHour


class FeedbackSource(StrEnum):
    """How feedback came in."""

    API = "api"
    EVALUATION = "evaluation"  # an evaluation event of OpenTelemetry


@dataclass(frozen=True, kw_only=True)
class CallReference:
    """How a sender names the call that feedback is about.

    Attributes:
        name: the id of an observation, the id that the client made for it, or the provider's response id.
        trace_id: of the call's span, or of a span around it; hex.
        span_id: hex.
    """

    name: str | None = None
    trace_id: str | None = None
    span_id: str | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The texts under which the feedback waits for its call."""
        named = () if self.name is None else (_name_subject(self.name),)
        traced = () if self.trace_id is None else (_trace_subject(self.trace_id),)
        return named + traced

    @property
    def is_empty(self) -> bool:
        """Whether no call is named."""
        return self.name is None and self.trace_id is None


@dataclass(frozen=True, kw_only=True)
class FeedbackCall:
    """What feedback needs of a call.

    Attributes:
        observation_id: its id.
        key: of the report, such as the id that the client made.
        response_id: of the provider.
        trace_id: hex.
        span_id: hex.
        parent_span_id: hex.
        series_id: that counts the call.
        prompt_id: None for a call without a prompt.
        version: 0 for none.
        at: when it began.
    """

    observation_id: str
    key: str
    response_id: str | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    series_id: int
    prompt_id: int | None
    version: int
    at: datetime

    @property
    def subjects(self) -> tuple[str, ...]:
        """The texts under which feedback may wait for the call."""
        names = {self.observation_id, self.key, self.response_id} - {None, ""}
        traced = () if self.trace_id is None else (_trace_subject(self.trace_id),)
        return tuple(sorted(_name_subject(str(name)) for name in names)) + traced

    def is_named(self, name: str) -> bool:
        """Return whether a sender's name for a call is this one's."""
        return name in (self.observation_id, self.key, self.response_id)


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """Feedback as it is stored: redacted, its user hashed.

    Attributes:
        id: made by the sender; unique in the project.
        prompt_id: None while it is known by its call alone, which has not come.
        version: 0 for none.
        reference: the call, as the sender names it.
        observation_id: the call, where it is known.
        name: of the metric; empty for a person's rating.
        value: from 0 to 1; None for an evaluation with a label alone, which is not counted.
        label: such as `pass`.
        comment: a text.
        correction: what the answer should have been.
        user_hash: of the end user.
        sender: the identity of who sent it.
        source: how it came.
        redacted: how many passages were removed from the comment and the correction.
        at: when it was given.
        created_at: when it came here first.
        place: where its value is counted; None while it is not.
        is_low: whether it is counted as a low one.
        prompt_label: by which the application looked the version up, as the sender states it; it is not stored, and decides
            where the value is counted when the call is not known.
        prompt_variant: of a split label, the same.
    """

    id: str
    prompt_id: int | None
    version: int
    reference: CallReference = CallReference()
    observation_id: str | None = None
    name: str = ""
    value: float | None = None
    label: str | None = None
    comment: str = ""
    correction: str | None = None
    user_hash: str | None = None
    sender: str = ""
    source: FeedbackSource = FeedbackSource.API
    redacted: int = 0
    at: datetime
    created_at: datetime
    place: SeriesHour | None = None
    is_low: bool = False
    prompt_label: str = ""
    prompt_variant: str = ""

    @property
    def statement(self) -> tuple[object, ...]:
        """What the sender stated; a second report with the same statement is a repeated delivery."""
        texts = (self.name, self.value, self.label, self.comment, self.correction, self.user_hash)
        return (self.prompt_id, self.version, self.reference, *texts)


IsAround = Callable[[tuple[str, str], FeedbackCall], bool]


def hour_of(at: datetime) -> int:
    """Return the hour since 1970 in which a time is."""
    return int(at.timestamp() // SECONDS_OF_AN_HOUR)


def reference_of(evaluation: Evaluation) -> CallReference:
    """Return how an evaluation names its call."""
    has_span = evaluation.trace_id is not None and evaluation.span_id is not None
    trace_id, span_id = (evaluation.trace_id, evaluation.span_id) if has_span else (None, None)
    return CallReference(name=evaluation.response_id, trace_id=trace_id, span_id=span_id)


def find_exactly(reference: CallReference, calls: Sequence[FeedbackCall]) -> FeedbackCall | None:
    """Return the call that a reference names: by its name, else by its own span; None where none is it."""
    if reference.name is not None:
        named = [call for call in calls if call.is_named(reference.name)]
        if named:
            return min(named, key=lambda call: (call.at, call.observation_id))
    if reference.trace_id is None:
        return None
    span = (reference.trace_id, reference.span_id)
    return next((call for call in calls if (call.trace_id, call.span_id) == span), None)


def find_inside(
    reference: CallReference, calls: Sequence[FeedbackCall], is_around: IsAround | None = None
) -> FeedbackCall | None:
    """Return the last call inside the referenced span; None for none, or where the calls have different prompts or versions.

    Args:
        reference: names a span.
        calls: those of its trace, and perhaps others.
        is_around: returns whether a span, by its trace's and its own id, is around a call at any depth; without it, only calls
            whose parent is the span are inside.
    """
    if reference.trace_id is None or reference.span_id is None:
        return None
    span = (reference.trace_id, reference.span_id)
    inside = [
        call
        for call in calls
        if (call.trace_id, call.parent_span_id) == span
        or (call.trace_id == span[0] and is_around is not None and is_around(span, call))
    ]
    if len({(call.prompt_id, call.version) for call in inside}) != 1:
        return None
    return max(inside, key=lambda call: (call.at, call.observation_id))


def _name_subject(name: str) -> str:
    return f"name:{name}"


def _trace_subject(trace_id: str) -> str:
    return f"trace:{trace_id}"
