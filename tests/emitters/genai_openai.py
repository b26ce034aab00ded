"""OpenTelemetry's own instrumentation, in a span of the application that names the prompt."""

from application import ask, look_up, openai, provider
from opentelemetry import trace as api
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from promptuary.client.telemetry import trace

tracer_provider = provider()
OpenAIInstrumentor().instrument()
prompt = look_up()
with api.get_tracer("support").start_as_current_span("answer ticket"):
    trace(prompt)
    ask(openai(), prompt)
tracer_provider.shutdown()
