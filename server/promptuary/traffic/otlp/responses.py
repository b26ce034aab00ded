"""The answers to OTLP requests, in the encoding of the request."""

import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.otlp.failure import PROTOBUF_TYPE as PROTOBUF_TYPE

JSON_TYPE = "application/json"


def traces_response(reading: TrafficReading, is_json: bool) -> bytes:
    """Return the body that answers a request with spans."""
    return _response(ExportTraceServiceResponse, "rejected_spans", reading, is_json)


def logs_response(reading: TrafficReading, is_json: bool) -> bytes:
    """Return the body that answers a request with log records."""
    return _response(ExportLogsServiceResponse, "rejected_log_records", reading, is_json)


def metrics_response(is_json: bool) -> bytes:
    """Return the body that answers a request with metrics, which are not read."""
    return b"{}" if is_json else bytes(ExportMetricsServiceResponse().SerializeToString())


def _response(message_type: Any, field: str, reading: TrafficReading, is_json: bool) -> bytes:
    if is_json:
        head, _, tail = field.partition("_")
        name = head + "".join(word.title() for word in tail.split("_"))
        # 64-bit integers are texts in protobuf's JSON.
        partial = {name: str(reading.rejected), "errorMessage": reading.message}
        return json.dumps({"partialSuccess": partial} if reading.rejected or reading.message else {}).encode()
    message = message_type()
    if reading.rejected or reading.message:
        setattr(message.partial_success, field, reading.rejected)
        message.partial_success.error_message = reading.message
    return bytes(message.SerializeToString())
