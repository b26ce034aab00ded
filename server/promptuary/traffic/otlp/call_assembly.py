"""A model call from its span: what all families have in common."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from promptuary.traffic.calls.model_call import (
    Attribution,
    CallContents,
    CallMessage,
    CallStatus,
    ModelCall,
    ReportedToolCall,
)
from promptuary.traffic.otlp.attribute_values import clean, first_text, milliseconds_since, short_text
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.finish_reasons import read_finish
from promptuary.traffic.otlp.prompt_marks import read_mark, read_variables
from promptuary.traffic.otlp.wire.spans import ERROR_STATUS, TraceSpan, Unreadable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**9
ERROR_LIMIT = 2000
"""Characters of an error's message."""
STACK_TRACE = "Traceback (most recent call last)"
CONVERSATION = (
    "gen_ai.conversation.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "langsmith.metadata.session_id",
    "langsmith.metadata.thread_id",
    "langsmith.metadata.conversation_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.conversationId",
    "ai.telemetry.metadata.session_id",
    "ai.telemetry.metadata.conversation_id",
    "langfuse.session.id",
)
USER = (
    "user.id",
    "enduser.id",
    "traceloop.association.properties.user_id",
    "langsmith.metadata.user_id",
    "ai.telemetry.metadata.userId",
    "ai.telemetry.metadata.user_id",
    "langfuse.user.id",
)


def assemble_call(span: TraceSpan, facts: CallFacts, contents_limit: int) -> ModelCall:
    """Return the call that a span reports.

    Args:
        span: of the call.
        facts: what its family read.
        contents_limit: characters of the messages; those of a larger call are left out.

    Raises:
        Unreadable: for a span without a time.
    """
    attributes = span.attributes
    finish = read_finish(facts.finish)
    status = _status(span, facts, finish)
    error_type, error_message = _error(span) if status is CallStatus.ERROR else (None, None)
    mark = read_mark(attributes)
    latency = facts.latency_ms
    started_before = latency is not None
    if latency is None:
        latency = milliseconds_since(span.start, span.end)
    return ModelCall(
        key=f"{span.trace_id}{span.span_id}",
        at=_began(span, latency if started_before else None),
        response_id=facts.response_id,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        latency_ms=latency,
        first_token_ms=facts.first_token_ms,
        status=status,
        error_type=error_type,
        finish=finish,
        provider=facts.provider,
        model=facts.model,
        response_model=facts.response_model,
        operation=facts.operation,
        tokens=facts.tokens,
        cost=facts.cost,
        prompt=mark,
        attribution=Attribution.SPAN if mark is not None else None,
        conversation=first_text(attributes, *CONVERSATION),
        user=first_text(attributes, *USER),
        emitter=facts.emitter,
        service=short_text(span.service),
        span_name=short_text(span.name),
        attributes=attributes,
        contents=_contents(span, facts, status, error_message, contents_limit),
    )


def read_time(nanoseconds: int) -> datetime:
    """Return a time that OTLP has in nanoseconds since 1970.

    Raises:
        Unreadable: without a time, or for one before 2000: it is in seconds or milliseconds, or of a clock that was never set.
    """
    if not nanoseconds:
        raise Unreadable("no time")
    if nanoseconds < _EARLIEST:
        raise Unreadable("a time before the year 2000; times are in nanoseconds since 1970")
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _began(span: TraceSpan, latency: float | None) -> datetime:
    """Return when the call began: before its span where the span has no length of its own."""
    start = span.start or span.end
    moment = read_time(start)
    if latency is not None and latency < start / 1e6:
        moment -= timedelta(milliseconds=latency)
    return moment


def _status(span: TraceSpan, facts: CallFacts, finish: str | None) -> CallStatus:
    """Return how a call ended. A stream that broke or was left is often neither an error nor OK, and has no end."""
    if span.status == ERROR_STATUS:
        return CallStatus.ERROR
    if finish is None and facts.tokens.input is None and facts.tokens.output is None:
        return CallStatus.INCOMPLETE
    return CallStatus.OK


def _error(span: TraceSpan) -> tuple[str | None, str | None]:
    """Return the type and the message of an error, without the stack traces that emitters add to messages."""
    attributes: Mapping[str, Any] = span.attributes
    error_type = first_text(attributes, "error.type")
    message = attributes.get("langfuse.observation.status_message") or span.status_message
    for event in span.read_events():
        if event.name == "exception":
            error_type = error_type or short_text(event.attributes.get("exception.type"))
            message = event.attributes.get("exception.message") or message
            break
    if not isinstance(message, str) or not message:
        return error_type, None
    return error_type, clean(message.partition(STACK_TRACE)[0].strip()[:ERROR_LIMIT]) or None


def _contents(
    span: TraceSpan, facts: CallFacts, status: CallStatus, error_message: str | None, contents_limit: int
) -> CallContents:
    # Dropped attributes are the oldest, so a part of the messages may be missing: the answer alone is known to be whole.
    messages = facts.input if span.is_complete else None
    variables = read_variables(span.attributes) if span.is_complete else None
    size = contents_size(messages or (), facts.output, facts.tool_calls) + (len(repr(variables)) if variables else 0)
    if size > contents_limit:
        return CallContents(error_message=error_message, is_complete=False)
    return CallContents(
        input=messages,
        output=facts.output,
        tool_calls=facts.tool_calls,
        variables=variables,
        error_message=error_message,
        is_complete=span.is_complete and not facts.is_cut and status is not CallStatus.INCOMPLETE,
    )


def contents_size(messages: Sequence[CallMessage], output: str | None, tool_calls: Sequence[ReportedToolCall]) -> int:
    """Return the number of characters of a call's messages, roughly."""
    size = len(output or "")
    for message in messages:
        content = message.content
        size += len(content) if isinstance(content, str) else 0 if content is None else len(repr(content))
        if message.tool_calls:
            size += len(repr(message.tool_calls))
    return size + (len(repr(tool_calls)) if tool_calls else 0)
