"""Traffic and sampled calls as the API answers them; the classes mirror the server's wire models."""

from datetime import datetime
from typing import Any

from pydantic import Field

from promptuary_ui.wire.base import ApiModel


class TrafficShare(ApiModel):
    """A share of calls, or a mean from 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int


class Latency(ApiModel):
    """Latencies in milliseconds; None without a call that reports one."""

    calls: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class Tokens(ApiModel):
    """Tokens of the calls that report them."""

    calls: int
    input: int | None
    output: int | None


class Cost(ApiModel):
    """US dollars of the calls that report a cost."""

    calls: int
    usd: float | None


class TrafficFigures(ApiModel):
    """The figures of a group of calls."""

    calls: int
    errors: TrafficShare | None
    incomplete: int
    latency_ms: Latency
    tokens: Tokens
    cost: Cost
    feedback: TrafficShare | None
    low_feedback: int
    low_feedback_share: TrafficShare | None = None
    replayable: TrafficShare | None
    redacted: int


class TrafficGroup(TrafficFigures):
    """The figures of the calls that have something in common."""

    prompt: str | None
    reason: str | None
    version: int | None
    at: datetime | None


class Traffic(ApiModel):
    """Traffic of a prompt or of a project."""

    bucket_ratio: float
    items: list[TrafficGroup]
    totals: list[TrafficGroup]
    total: TrafficFigures


class Difference(ApiModel):
    """Candidate - baseline with its 95 % interval."""

    estimate: float
    low: float
    high: float


class ComparedFigure(ApiModel):
    """A figure of two versions; `finding` is `worse`, `better` or `unclear`, or None without an interval."""

    name: str
    baseline: float | None
    candidate: float | None
    difference: Difference | None
    finding: str | None


class VersionComparison(ApiModel):
    """Two versions of a prompt side by side."""

    figures: list[ComparedFigure]


class CallError(ApiModel):
    """The error with which a call ended."""

    type: str | None
    message: str | None


class CallTokens(ApiModel):
    """Tokens of a call."""

    input: int | None
    output: int | None
    cached: int | None
    reasoning: int | None


class CallFeedback(ApiModel):
    """Feedback on a call."""

    name: str
    value: float | None
    label: str | None
    comment: str
    correction: str | None
    at: datetime


class SampledCall(ApiModel):
    """A call of the sample."""

    id: str
    version: int | None
    label: str | None
    variant: str | None
    attributed: str | None
    provider: str | None
    model: str | None
    response_model: str | None
    at: datetime
    latency_ms: float | None
    first_token_ms: float | None
    status: str
    error: CallError | None
    tokens: CallTokens
    cost: float | None
    variables: dict[str, Any] | None
    input: list[dict[str, Any]] | None
    output: str | None
    tool_calls: list[dict[str, Any]]
    finish: str | None
    conversation: str | None
    emitter: str
    stratum: str
    probability: float
    redacted: int
    feedback: list[CallFeedback] = Field(default_factory=list)
