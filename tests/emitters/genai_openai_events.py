"""OpenTelemetry's own instrumentation, with the messages as events: log records of a request of their own."""

from application import ask, look_up, openai, provider
from opentelemetry import trace as api
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from promptuary.client.telemetry import trace

logger_provider = LoggerProvider()
logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(logger_provider)
tracer_provider = provider()
OpenAIInstrumentor().instrument()
prompt = look_up()
with api.get_tracer("support").start_as_current_span("answer ticket"):
    trace(prompt)
    ask(openai(), prompt)
tracer_provider.shutdown()
logger_provider.shutdown()
