"""OpenTelemetry's own instrumentation with Promptuary's span processor: no span of the application is needed."""

from application import ask, look_up, openai, provider
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from promptuary.client import PromptSpanProcessor

tracer_provider = provider()
tracer_provider.add_span_processor(PromptSpanProcessor(variables=True))
OpenAIInstrumentor().instrument()
ask(openai(), look_up())
tracer_provider.shutdown()
