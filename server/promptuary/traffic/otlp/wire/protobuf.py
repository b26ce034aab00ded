"""OTLP requests in protobuf, decoded by OpenTelemetry's own messages.

Each attribute costs several calls into the library, and a request has ten thousands of them: nothing is read twice, and events
are read only where a family of emitters needs them.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from math import isfinite
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from promptuary.core.errors import MalformedBody
from promptuary.traffic.otlp.wire.protobuf_repair import without_unreadable
from promptuary.traffic.otlp.wire.spans import Decoded, LogRecord, ReadingLimits, SpanEvent, TraceSpan, Unreadable, no_events

NO_TRACE = bytes(16)
NO_SPAN = bytes(8)
DEPTH_LIMIT = 32
"""How deep a value may be nested. Protobuf itself stops at 100 messages."""


def decode_traces(body: bytes, limits: ReadingLimits) -> Decoded:
    """Decode an `ExportTraceServiceRequest`.

    Raises:
        MalformedBody: for bytes that are none.
    """
    decoded = Decoded()
    messages = _span_messages(_parse(ExportTraceServiceRequest, body, decoded))
    decoded.spans = decoded.read_each(messages, lambda message: _span(*message), limits.spans, "spans")
    return decoded


def decode_logs(body: bytes, limits: ReadingLimits) -> Decoded:
    """Decode an `ExportLogsServiceRequest`.

    Raises:
        MalformedBody: for bytes that are none.
    """
    decoded = Decoded()
    messages = _record_messages(_parse(ExportLogsServiceRequest, body, decoded))
    decoded.records = decoded.read_each(messages, _record, limits.spans, "records")
    return decoded


def _span_messages(request: Any) -> Iterator[tuple[Any, str, str | None]]:
    """Yield each span with the name of its instrumentation and of its service."""
    for resource_spans in request.resource_spans:
        service = _service(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope.name
            for message in scope_spans.spans:
                yield message, scope, service


def _record_messages(request: Any) -> Iterator[Any]:
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            yield from scope_logs.log_records


def _parse(message_type: Any, body: bytes, decoded: Decoded) -> Any:
    """Return a request. One text that is not UTF-8 spoils its own span or record, which is rejected."""
    try:
        return message_type.FromString(body)
    except (DecodeError, RecursionError):
        pass
    try:
        readable, rejected = without_unreadable(body, message_type)
        request = message_type.FromString(readable)
    except (DecodeError, RecursionError, ValueError):
        raise MalformedBody(f"the body is no {message_type.DESCRIPTOR.name} in protobuf") from None
    decoded.reject("not readable as protobuf; its texts must be UTF-8", rejected)
    return request


def _span(message: Any, scope: str, service: str | None) -> TraceSpan:
    trace_id, span_id, parent = message.trace_id, message.span_id, message.parent_span_id
    if len(trace_id) != 16 or trace_id == NO_TRACE:
        raise Unreadable("no valid trace id")
    if len(span_id) != 8 or span_id == NO_SPAN:
        raise Unreadable("no valid span id")
    if parent and len(parent) != 8:
        raise Unreadable("no valid parent span id")
    attributes, is_complete = _attributes(message.attributes)
    status = message.status
    events = message.events
    return TraceSpan(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent.hex() if parent and parent != NO_SPAN else None,
        name=message.name,
        scope=scope,
        service=service,
        start=message.start_time_unix_nano,
        end=message.end_time_unix_nano,
        attributes=attributes,
        status=status.code,
        status_message=status.message,
        is_complete=is_complete and not message.dropped_attributes_count,
        read_events=partial(_events, events) if events else no_events,
    )


def _record(message: Any) -> LogRecord:
    trace_id, span_id = message.trace_id, message.span_id
    if len(trace_id) not in (0, 16) or len(span_id) not in (0, 8):
        raise Unreadable("no valid trace or span id")
    attributes, is_complete = _attributes(message.attributes)
    body, body_is_complete = None, True
    if message.HasField("body"):
        try:
            body = _value(message.body, 0)
        except Unreadable:
            body_is_complete = False
    return LogRecord(
        trace_id=trace_id.hex() if trace_id != NO_TRACE else "",
        span_id=span_id.hex() if span_id != NO_SPAN else "",
        name=message.event_name,
        time=message.time_unix_nano or message.observed_time_unix_nano,
        body=body,
        attributes=attributes,
        is_complete=is_complete and body_is_complete and not message.dropped_attributes_count,
    )


def _events(messages: Iterable[Any]) -> Iterator[SpanEvent]:
    for message in messages:
        yield SpanEvent(message.name, message.time_unix_nano, _attributes(message.attributes)[0])


def _service(attributes: Iterable[Any]) -> str | None:
    for attribute in attributes:
        if attribute.key == "service.name":
            return attribute.value.string_value or None
    return None


def _attributes(messages: Iterable[Any]) -> tuple[dict[str, Any], bool]:
    """Return the attributes, and whether each of them could be read."""
    attributes: dict[str, Any] = {}
    is_complete = True
    for message in messages:
        any_value = message.value
        # Most values are texts. The library answers "" for another type, so that one call is enough for them.
        value: Any = any_value.string_value
        if not value:
            kind = any_value.WhichOneof("value")
            if kind == "int_value":
                value = any_value.int_value
            elif kind != "string_value":
                try:
                    value = _value(any_value, 0)
                except Unreadable:
                    is_complete = False
                    continue
        attributes[message.key] = value
    return attributes, is_complete


def _value(message: Any, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise Unreadable(f"a value is nested more than {DEPTH_LIMIT} deep")
    kind = message.WhichOneof("value")
    if kind is None or kind == "bytes_value":
        return None
    value = getattr(message, kind)
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.values]
    if kind == "kvlist_value":
        return {item.key: _value(item.value, depth + 1) for item in value.values}
    if kind == "double_value" and not isfinite(value):
        return None
    return value
