"""A model call as an emitter reported it. A value that the report does not contain is None, never 0 or an empty text.

OTLP, the JSON form of `POST /v1/observations` and the SDKs are all read into these values; nothing behind them knows who sent
them. An intake counts each call, and stores the contents of a random sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class CallStatus(StrEnum):
    """How a call ended."""

    OK = "ok"
    ERROR = "error"
    INCOMPLETE = "incomplete"  # a stream that broke or was left: no error, no finish reason and no token counts


class Attribution(StrEnum):
    """Where the prompt of a call was named."""

    SPAN = "span"  # in the report of the call itself
    ANCESTOR = "ancestor"  # on a span around it
    RULE = "rule"  # a rule of the project maps the call to the prompt


@dataclass(frozen=True)
class TokenCounts:
    """Tokens of a call. `input` includes the cached ones, `output` the reasoning ones."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True)
class ReportedToolCall:
    """A tool call in a message: `arguments` is the parsed JSON, or the text where it is none."""

    id: str | None
    name: str | None
    arguments: Any


@dataclass(frozen=True)
class CallMessage:
    """A message of a call's input. `content` is a text, a list of content parts, a tool's result, or None."""

    role: str
    content: Any = None
    tool_calls: Sequence[ReportedToolCall] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True)
class CallError:
    """The error with which a call ended."""

    type: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class PromptMark:
    """The prompt that a report names, as it names it: the intake resolves it in the registry.

    Attributes:
        name: as the emitter has it; names of other registries fold as an import folds them.
        version: as a text; None where the report has none.
        label: the label by which the application looked the version up.
        variant: of a split label.
        digest: of the version.
    """

    name: str
    version: str | None = None
    label: str | None = None
    variant: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class CallContents:
    """What a call contains of people's data. It is redacted before anything stores it.

    Attributes:
        input: the messages, in order; None where the report has none.
        output: the text of the answer.
        tool_calls: those of the answer.
        variables: the values with which the prompt was rendered; None where they are unknown: the call cannot be replayed.
        error_message: the text of the error.
        is_complete: whether nothing was cut or dropped on the way; incomplete contents are not stored.
    """

    input: Sequence[CallMessage] | None = None
    output: str | None = None
    tool_calls: Sequence[ReportedToolCall] = ()
    variables: Mapping[str, Any] | None = None
    error_message: str | None = None
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True)
class ModelCall:
    """One call of a model.

    Attributes:
        key: identifies the call across repeated reports: `trace_id` and `span_id` as hex, or the id that the client made.
        response_id: of the provider; a second report with the same one is the same call.
        trace_id: hex; None where no trace is known.
        span_id: hex.
        parent_span_id: hex; where no prompt is named, a span around the call may name it later.
        at: when the call began, in UTC.
        latency_ms: until its end.
        first_token_ms: until the first piece of a stream.
        status: how it ended.
        error_type: the error's class or code; its message is part of the contents.
        finish: normalised: `stop`, `length`, `tool_calls`, `content_filter`, `error`, or the provider's own word.
        provider: such as `openai`.
        model: that was requested.
        response_model: that answered.
        operation: such as `chat`.
        tokens: as reported.
        cost: in US dollars, where the report has one.
        prompt: named by the report.
        attribution: where the prompt was named.
        conversation: the id of the conversation.
        user: the id of the end user, as the application has it; it is hashed before anything stores it.
        emitter: the instrumentation that reported it, such as `openinference`.
        service: `service.name` of the resource.
        span_name: for rules that map a call to a prompt.
        attributes: the scalar attributes of the span that rules may look at; nothing stores them.
        contents: people's data.
    """

    key: str
    at: datetime
    response_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    status: CallStatus = CallStatus.OK
    error_type: str | None = None
    finish: str | None = None
    provider: str | None = None
    model: str | None = None
    response_model: str | None = None
    operation: str | None = None
    tokens: TokenCounts = TokenCounts()
    cost: float | None = None
    prompt: PromptMark | None = None
    attribution: Attribution | None = None
    conversation: str | None = None
    user: str | None = None
    emitter: str = "unknown"
    service: str | None = None
    span_name: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    contents: CallContents = CallContents()


@dataclass(frozen=True)
class SpanLink:
    """A span that is no model call: calls inside it may take their prompt from it, also those of an earlier request.

    Attributes:
        trace_id: hex.
        span_id: hex.
        parent_span_id: hex; None for a root.
        prompt: that the span names.
        variables: the values with which that prompt was rendered, where the span has them.
        user: the id of the end user, where the span has one.
        conversation: the id of the conversation, where the span has one.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    prompt: PromptMark | None = None
    variables: Mapping[str, Any] | None = None
    user: str | None = None
    conversation: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """An evaluation event (`gen_ai.evaluation.result`): feedback on a call, by its response id or its span.

    Attributes:
        name: of the metric.
        value: from 0 to 1; None where the event has a label alone.
        label: such as `pass`.
        explanation: a text.
        response_id: of the call.
        trace_id: hex.
        span_id: hex, of the call or of a span around it.
        at: when.
    """

    name: str
    value: float | None
    label: str | None
    explanation: str | None
    response_id: str | None
    trace_id: str | None
    span_id: str | None
    at: datetime


@dataclass(frozen=True)
class LogContents:
    """The messages of a call that its emitter sent as log records, to be joined with the call by its span."""

    trace_id: str
    span_id: str
    contents: CallContents
    finish: str | None = None


@dataclass(frozen=True)
class TrafficReading:
    """What one request contained.

    Attributes:
        calls: the model calls, each once.
        links: the other spans.
        evaluations: feedback.
        log_contents: messages that belong to calls of other requests.
        rejected: spans or records that could not be read.
        message: which and why, for the partial success of OTLP; empty for none.
        is_whole: whether either all of the calls are accepted, or none.
    """

    calls: Sequence[ModelCall] = ()
    links: Sequence[SpanLink] = ()
    evaluations: Sequence[Evaluation] = ()
    log_contents: Sequence[LogContents] = ()
    rejected: int = 0
    message: str = ""
    is_whole: bool = False
