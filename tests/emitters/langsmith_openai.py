"""LangSmith's wrapper of OpenAI's client, over OpenTelemetry."""

from application import ask, look_up, openai
from langsmith import Client
from langsmith.wrappers import wrap_openai
from opentelemetry import trace

prompt = look_up()
langsmith = Client()
ask(wrap_openai(openai(), tracing_extra={"client": langsmith}), prompt, langsmith_extra={"metadata": prompt.metadata})
langsmith.flush()
trace.get_tracer_provider().force_flush()
