"""OTLP requests of few words: spans and log records as JSON, and the same in protobuf."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_796_005_272_000_000_000
"""Nanoseconds since 1970: 30 November 2026."""
_numbers = count(1)


def value(content: Any) -> dict[str, Any]:
    """Return a value as OTLP has it."""
    if isinstance(content, bool):
        return {"boolValue": content}
    if isinstance(content, int):
        return {"intValue": str(content)}
    if isinstance(content, float):
        return {"doubleValue": content}
    if isinstance(content, str):
        return {"stringValue": content}
    if isinstance(content, Mapping):
        return {"kvlistValue": {"values": attributes(content)}}
    if content is None:
        return {}
    return {"arrayValue": {"values": [value(item) for item in content]}}


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as OTLP has them."""
    return [{"key": name, "value": value(content)} for name, content in values.items()]


def span(values: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a span of 20 ms with attributes; fields replace what it has."""
    return {
        "traceId": TRACE,
        "spanId": f"{next(_numbers):016x}",
        "name": "chat",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 20_000_000),
        "attributes": attributes(values or {}),
        **fields,
    }


def chat(values: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a span of a finished call by the GenAI conventions."""
    ordinary = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    return span({name: content for name, content in {**ordinary, **(values or {})}.items() if content is not None}, **fields)


def request(*spans: Mapping[str, Any], scope: str = "app", service: str = "support") -> dict[str, Any]:
    """Return a request with spans."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"service.name": service})},
                "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}],
            }
        ]
    }


def traces(*spans: Mapping[str, Any], scope: str = "app") -> bytes:
    """Return the body of a request with spans, as JSON."""
    return json.dumps(request(*spans, scope=scope)).encode()


def in_protobuf(message: Mapping[str, Any]) -> bytes:
    """Return a request as protobuf, from its JSON with ids in hexadecimal."""
    plain = json.loads(json.dumps(message))
    ids: Sequence[str] = ("traceId", "spanId", "parentSpanId")
    spans = [item for group in plain["resourceSpans"] for scope in group["scopeSpans"] for item in scope["spans"]]
    binary_ids = [{name: bytes.fromhex(item.pop(name)) for name in ids if name in item} for item in spans]
    parsed = ParseDict(plain, ExportTraceServiceRequest())
    messages = [item for group in parsed.resource_spans for scope in group.scope_spans for item in scope.spans]
    for target, binary in zip(messages, binary_ids, strict=True):
        target.trace_id = binary.get("traceId", b"")
        target.span_id = binary.get("spanId", b"")
        target.parent_span_id = binary.get("parentSpanId", b"")
    return bytes(parsed.SerializeToString())


def logs(*records: Mapping[str, Any]) -> bytes:
    """Return the body of a request with log records, as JSON."""
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}).encode()


def event(name: str, body: Any = None, values: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a log record that is an event."""
    return {
        "traceId": TRACE,
        "spanId": "00f067aa0ba902b7",
        "eventName": name,
        "timeUnixNano": str(START),
        "body": value(body),
        "attributes": attributes(values or {}),
        **fields,
    }
