"""Spans and log records as OTLP has them, whichever encoding they came in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Message = TypeVar("Message")
Read = TypeVar("Read")
ERROR_STATUS = 2
"""OTLP's status code of an error; 0 is unset and 1 is OK."""


@dataclass(frozen=True)
class ReadingLimits:
    """The limits of what is read out of one request.

    Attributes:
        spans: spans or log records; those beyond are rejected.
        contents: characters of the messages of one call; the messages of a larger one are not read.
    """

    spans: int = 10_000
    contents: int = 1_000_000


class Unreadable(Exception):
    """A span or a log record cannot be read; the message is why, without any of its contents."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span. `time` is in nanoseconds since 1970."""

    name: str
    time: int
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class TraceSpan:
    """A span.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_span_id: the same; None for a root.
        name: of the operation.
        scope: the name of the instrumentation.
        service: `service.name` of the resource.
        start: nanoseconds since 1970; 0 for unknown.
        end: the same.
        attributes: numbers that are not finite, and bytes, are None.
        status: 2 is an error.
        status_message: may have a stack trace.
        is_complete: whether no attribute was dropped or is nested too deep.
        read_events: reads the events, which most spans do not need.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    scope: str
    service: str | None
    start: int
    end: int
    attributes: dict[str, Any]
    status: int
    status_message: str
    is_complete: bool
    read_events: Callable[[], Iterable[SpanEvent]]


@dataclass(slots=True)
class LogRecord:
    """A log record; ids are empty where it has none. `time` is in nanoseconds since 1970, 0 for unknown."""

    trace_id: str
    span_id: str
    name: str
    time: int
    body: Any
    attributes: dict[str, Any]
    is_complete: bool


@dataclass
class Decoded:
    """What one request contains. `errors` are the reasons of the rejected ones, with how often each occurs."""

    spans: Sequence[TraceSpan] = ()
    records: Sequence[LogRecord] = ()
    errors: dict[str, int] = field(default_factory=dict)

    def reject(self, reason: str, count: int = 1) -> None:
        """Count spans or records that could not be read."""
        self.errors[reason] = self.errors.get(reason, 0) + count

    def read_each(self, messages: Iterable[Message], read: Callable[[Message], Read], limit: int, noun: str) -> list[Read]:
        """Return what each message of a request contains; reject those that cannot be read, and those beyond the limit.

        Args:
            messages: spans or log records in their encoding.
            read: reads one; raises `Unreadable`.
            limit: how many are read.
            noun: what they are, for the reason.
        """
        values: list[Read] = []
        for message in messages:
            if len(values) >= limit:
                self.reject(f"beyond the limit of {limit} {noun} a request; send smaller batches")
                continue
            try:
                values.append(read(message))
            except Unreadable as error:
                self.reject(str(error))
        return values


def no_events() -> Iterable[SpanEvent]:
    """Return no events."""
    return ()
