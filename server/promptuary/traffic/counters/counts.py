"""What is counted of calls, added up in memory before it reaches the tables. Pure."""

import math
from dataclasses import dataclass, field, fields
from typing import TypeGuard

from promptuary.traffic.calls.model_call import CallStatus, ModelCall, TokenCounts
from promptuary.traffic.counters.latency import bucket_of

_TOKEN_LIMIT = 2**31
SECONDS_OF_AN_HOUR = 3600
HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What a call is counted by.

    Attributes:
        prompt_id: None for a call without a prompt.
        version: 0 where no version is known.
        label: the label by which the application looked the version up; empty for none.
        variant: of a split label; empty for none.
        model: that was requested, else the one that answered; empty where neither is known.
        reason: why the prompt or its version is unknown; empty where both are known.
    """

    prompt_id: int | None
    version: int = 0
    label: str = ""
    variant: str = ""
    model: str = ""
    reason: str = ""

    @property
    def prompt_key(self) -> int:
        """The prompt's id; 0 for none."""
        return self.prompt_id or 0


@dataclass(frozen=True, slots=True)
class CountedCall:
    """What is counted of one call; unknown values are None."""

    status: str
    latency_ms: float | None
    tokens: TokenCounts
    cost: float | None
    is_replayable: bool
    redacted: int = 0

    @classmethod
    def of(cls, call: ModelCall, redacted: int = 0) -> "CountedCall":
        """Return what is counted of a reported call, of which `redacted` passages were removed before it was stored."""
        is_replayable = call.contents.variables is not None
        return cls(call.status.value, call.latency_ms, call.tokens, call.cost, is_replayable, redacted)


@dataclass(slots=True)
class CallCounts:
    """The sums of some calls; negative ones take calls away."""

    calls: int = 0
    errors: int = 0
    incomplete: int = 0
    replayable: int = 0
    token_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_calls: int = 0
    cost: float = 0.0
    latency_calls: int = 0
    latency_ms: float = 0.0
    redacted: int = 0
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, call: CountedCall, times: int = 1) -> None:
        """Count a call; with `times` of -1, take one away that was counted."""
        self.calls += times
        if call.status == CallStatus.ERROR:
            self.errors += times
        elif call.status == CallStatus.INCOMPLETE:
            self.incomplete += times
        self.replayable += times * call.is_replayable
        self.redacted += times * call.redacted
        tokens = call.tokens
        if tokens.input is not None or tokens.output is not None:
            self.token_calls += times
            self.input_tokens += times * _count(tokens.input)
            self.output_tokens += times * _count(tokens.output)
            self.cached_tokens += times * _count(tokens.cached)
            self.reasoning_tokens += times * _count(tokens.reasoning)
        if _is_amount(call.cost):
            self.cost_calls += times
            self.cost += times * call.cost
        if _is_amount(call.latency_ms):
            self.latency_calls += times
            self.latency_ms += times * call.latency_ms
            bucket = bucket_of(call.latency_ms)
            self.latencies[bucket] = self.latencies.get(bucket, 0) + times

    def __add__(self, other: "CallCounts") -> "CallCounts":
        """Return the sums of both."""
        sums = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)[:-1]}
        latencies = {
            bucket: self.latencies.get(bucket, 0) + other.latencies.get(bucket, 0)
            for bucket in self.latencies | other.latencies
        }
        return CallCounts(**sums, latencies=latencies)


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """The sums of some feedback with a value; a correction may subtract."""

    feedback: int = 0
    feedback_sum: float = 0.0
    feedback_low: int = 0

    def __add__(self, other: "FeedbackCounts") -> "FeedbackCounts":
        """Return the sums of both."""
        return FeedbackCounts(
            self.feedback + other.feedback, self.feedback_sum + other.feedback_sum, self.feedback_low + other.feedback_low
        )


def _count(tokens: int | None) -> int:
    """Return a number of tokens; 0 for an unknown one, or one that no call can have."""
    return tokens if tokens is not None and 0 <= tokens < _TOKEN_LIMIT else 0


def _is_amount(value: float | None) -> TypeGuard[float]:
    """Return whether a value is known, and is an amount that can be added up."""
    return value is not None and 0 <= value < math.inf
