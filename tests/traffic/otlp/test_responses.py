"""The answers to OTLP requests."""

import json

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from promptuary.traffic.calls.model_call import TrafficReading
from promptuary.traffic.otlp.responses import logs_response, metrics_response, traces_response

PARTIAL = TrafficReading(rejected=2, message="2 spans were rejected: no valid span id (2)")


def test_a_whole_success_is_an_empty_message() -> None:
    assert (traces_response(TrafficReading(), False), traces_response(TrafficReading(), True)) == (b"", b"{}")
    assert (metrics_response(is_json=False), metrics_response(is_json=True)) == (b"", b"{}")
    assert ExportMetricsServiceResponse.FromString(metrics_response(is_json=False)) == ExportMetricsServiceResponse()


def test_a_partial_success_has_how_many_were_rejected_and_why() -> None:
    spans = ExportTraceServiceResponse.FromString(traces_response(PARTIAL, is_json=False)).partial_success
    assert (spans.rejected_spans, spans.error_message) == (2, PARTIAL.message)
    records = ExportLogsServiceResponse.FromString(logs_response(PARTIAL, is_json=False)).partial_success
    assert (records.rejected_log_records, records.error_message) == (2, PARTIAL.message)


def test_a_partial_success_in_json_has_the_names_of_protobufs_json() -> None:
    answer = json.loads(traces_response(PARTIAL, is_json=True))
    assert answer == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": PARTIAL.message}}
    answer = json.loads(logs_response(PARTIAL, is_json=True))
    assert answer == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": PARTIAL.message}}
