"""OTLP requests in JSON: ids are hexadecimal, integers are numbers or texts, enums are numbers or names.

Unknown fields are ignored, as OTLP requires. A field of a wrong type makes its span unreadable, not the request.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any

from promptuary.core.errors import MalformedBody
from promptuary.traffic.otlp.wire.spans import Decoded, LogRecord, ReadingLimits, SpanEvent, TraceSpan, Unreadable, no_events

DEPTH_LIMIT = 32
"""How deep a value may be nested."""
STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
UINT64_LIMIT = 2**64
INT64_LIMIT = 2**63
INTEGER = re.compile("-?[0-9]{1,20}")
HEX = frozenset("0123456789abcdef")


def decode_traces(body: bytes, limits: ReadingLimits) -> Decoded:
    """Decode an `ExportTraceServiceRequest`.

    Raises:
        MalformedBody: for a body that is none.
    """
    decoded, messages = Decoded(), _span_messages(_parse(body))
    decoded.spans = decoded.read_each(messages, lambda message: _span(*message), limits.spans, "spans")
    return decoded


def decode_logs(body: bytes, limits: ReadingLimits) -> Decoded:
    """Decode an `ExportLogsServiceRequest`.

    Raises:
        MalformedBody: for a body that is none.
    """
    decoded, messages = Decoded(), _record_messages(_parse(body))
    decoded.records = decoded.read_each(messages, _record, limits.spans, "records")
    return decoded


def _span_messages(request: Any) -> Iterator[tuple[Any, str, str | None]]:
    """Yield each span with the name of its instrumentation and of its service."""
    for resource_spans in _messages(request, "resourceSpans"):
        service = _service(resource_spans)
        for scope_spans in _messages(resource_spans, "scopeSpans"):
            scope = _scope(scope_spans)
            for message in _items(scope_spans, "spans"):
                yield message, scope, service


def _record_messages(request: Any) -> Iterator[Any]:
    for resource_logs in _messages(request, "resourceLogs"):
        for scope_logs in _messages(resource_logs, "scopeLogs"):
            yield from _items(scope_logs, "logRecords")


def _refuse_constant(constant: str) -> Any:
    raise MalformedBody(f"the body has {constant}, which is not a JSON number")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        request = _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8: byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise MalformedBody(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError:
        raise MalformedBody("the body has an integer of too many digits") from None
    except RecursionError:
        raise MalformedBody("the body is nested too deep") from None
    if not isinstance(request, dict):
        raise MalformedBody("the body must be a JSON object")
    return request


def _items(message: Mapping[str, Any], name: str) -> list[Any]:
    items = message.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise MalformedBody(f"the body has a field {name} that is not a list")
    return items


def _messages(message: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for item in _items(message, name):
        if not isinstance(item, dict):
            raise MalformedBody(f"the body has something other than objects in {name}")
        yield item


def _scope(message: Mapping[str, Any]) -> str:
    scope = message.get("scope")
    name = scope.get("name") if isinstance(scope, dict) else None
    return name if isinstance(name, str) else ""


def _service(message: Mapping[str, Any]) -> str | None:
    resource = message.get("resource")
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    for attribute in attributes if isinstance(attributes, list) else ():
        if isinstance(attribute, dict) and attribute.get("key") == "service.name":
            value = attribute.get("value")
            name = value.get("stringValue") if isinstance(value, dict) else None
            return name if isinstance(name, str) and name else None
    return None


def _span(message: Any, scope: str, service: str | None) -> TraceSpan:
    if not isinstance(message, dict):
        raise Unreadable("a span is not an object")
    attributes, is_complete = _attributes(message.get("attributes"))
    code, status_message = _status(message.get("status"))
    events = message.get("events")
    if not isinstance(events, list | None):
        raise Unreadable("events are not a list")
    return TraceSpan(
        trace_id=_id(message, "traceId", 32) or _missing("trace"),
        span_id=_id(message, "spanId", 16) or _missing("span"),
        parent_span_id=_id(message, "parentSpanId", 16) or None,
        name=_text(message, "name"),
        scope=scope,
        service=service,
        start=_whole(message, "startTimeUnixNano"),
        end=_whole(message, "endTimeUnixNano"),
        attributes=attributes,
        status=code,
        status_message=status_message,
        is_complete=is_complete and not _whole(message, "droppedAttributesCount"),
        read_events=partial(_events, events) if events else no_events,
    )


def _record(message: Any) -> LogRecord:
    if not isinstance(message, dict):
        raise Unreadable("a log record is not an object")
    attributes, is_complete = _attributes(message.get("attributes"))
    body, body_is_complete = None, True
    if message.get("body") is not None:
        try:
            body = _value(message["body"], 0)
        except Unreadable:
            body_is_complete = False
    return LogRecord(
        trace_id=_id(message, "traceId", 32),
        span_id=_id(message, "spanId", 16),
        name=_text(message, "eventName"),
        time=_whole(message, "timeUnixNano") or _whole(message, "observedTimeUnixNano"),
        body=body,
        attributes=attributes,
        is_complete=is_complete and body_is_complete and not _whole(message, "droppedAttributesCount"),
    )


def _events(messages: Iterable[Any]) -> Iterator[SpanEvent]:
    """Yield the events that can be read: one that cannot be is no reason to lose its call."""
    for message in messages:
        if isinstance(message, dict):
            try:
                event = SpanEvent(
                    _text(message, "name"), _whole(message, "timeUnixNano"), _attributes(message.get("attributes"))[0]
                )
            except Unreadable:
                continue
            yield event


def _missing(kind: str) -> str:
    raise Unreadable(f"no valid {kind} id")


def _id(message: Mapping[str, Any], name: str, length: int) -> str:
    """Return an id in lower case; empty where there is none, or zeros, which OTLP has for none."""
    value = message.get(name)
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) != length or not HEX.issuperset(lower := value.lower()):
        raise Unreadable(f"no valid {name}: {length} hexadecimal digits are needed")
    return lower if lower.strip("0") else ""


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return value


def _whole(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name)
    if value is None:
        return 0
    number = _integer(value)
    if number is None or not 0 <= number < UINT64_LIMIT:
        raise Unreadable(f"{name} is not a whole number of 64 bits")
    return number


def _integer(value: Any) -> int | None:
    """Return a 64-bit integer that JSON has as a number or as a text; None for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, str):
        return int(value) if INTEGER.fullmatch(value) else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def _status(status: Any) -> tuple[int, str]:
    if status is None:
        return 0, ""
    if not isinstance(status, dict):
        raise Unreadable("the status is not an object")
    code = status.get("code", 0)
    code = STATUS_CODES.get(code, code) if isinstance(code, str) else code
    number = 0 if code is None else _integer(code)
    if number is None:
        raise Unreadable("the status has no valid code")
    return number, _text(status, "message")


def _attributes(messages: Any) -> tuple[dict[str, Any], bool]:
    """Return the attributes, and whether each of them could be read."""
    if messages is None:
        return {}, True
    if not isinstance(messages, list):
        raise Unreadable("attributes are not a list")
    attributes: dict[str, Any] = {}
    is_complete = True
    for message in messages:
        try:
            key, value = message["key"], message.get("value")
            if not isinstance(key, str):
                raise Unreadable("an attribute has no key")
            attributes[key] = None if value is None else _value(value, 0)
        except (Unreadable, KeyError, TypeError, AttributeError):
            is_complete = False
    return attributes, is_complete


def _value(message: Any, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise Unreadable(f"a value is nested more than {DEPTH_LIMIT} deep")
    if not isinstance(message, dict):
        raise Unreadable("a value is not an object")
    for name, read in _READERS.items():
        if name in message:
            return read(message[name], depth)
    return None


def _read_text(value: Any, depth: int) -> str:
    if not isinstance(value, str):
        raise Unreadable("a text is none")
    return value


def _read_bool(value: Any, depth: int) -> bool:
    if not isinstance(value, bool):
        raise Unreadable("a boolean is none")
    return value


def _read_integer(value: Any, depth: int) -> int:
    number = _integer(value)
    if number is None or not -INT64_LIMIT <= number < INT64_LIMIT:
        raise Unreadable("an integer is none of 64 bits")
    return number


def _read_double(value: Any, depth: int) -> float | None:
    """Return a finite number; None for those that are not, which JSON has as the texts NaN and Infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable("a number is none")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise Unreadable("a number is none") from None
    return number if isfinite(number) else None


def _read_array(value: Any, depth: int) -> list[Any]:
    items = value.get("values") if isinstance(value, dict) else None
    if not isinstance(items, list | None):
        raise Unreadable("an array is none")
    return [_value(item, depth + 1) for item in items or ()]


def _read_object(value: Any, depth: int) -> dict[str, Any]:
    items = value.get("values") if isinstance(value, dict) else None
    if not isinstance(items, list | None):
        raise Unreadable("a list of keys and values is none")
    result = {}
    for item in items or ():
        if not isinstance(item, dict) or not isinstance(item.get("key"), str):
            raise Unreadable("a key is no text")
        result[item["key"]] = None if item.get("value") is None else _value(item["value"], depth + 1)
    return result


def _read_bytes(value: Any, depth: int) -> None:
    """Return None: no emitter has anything in bytes that is read."""


_READERS: Mapping[str, Callable[[Any, int], Any]] = {
    "stringValue": _read_text,
    "intValue": _read_integer,
    "boolValue": _read_bool,
    "doubleValue": _read_double,
    "arrayValue": _read_array,
    "kvlistValue": _read_object,
    "bytesValue": _read_bytes,
}
