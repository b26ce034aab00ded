"""Openllmetry's instrumentation of OpenAI, in a span that names the prompt; it runs where Promptuary is not installed."""

import json
import os
from urllib.request import Request, urlopen

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
headers = {"Authorization": f"Bearer {os.environ['PROMPTUARY_API_KEY']}"}
with urlopen(Request(f"{os.environ['PROMPTUARY_URL']}/v1/prompts/support.triage", headers=headers)) as answer:
    prompt = json.load(answer)
messages = [
    {**message, "content": message["content"].replace("{{ticket}}", "My parcel has not come.")}
    for message in prompt["template"]
]
with trace.get_tracer("support").start_as_current_span("answer ticket") as span:
    span.set_attributes({"promptuary.name": "support.triage", "promptuary.version": prompt["version"]})
    OpenAI(max_retries=0).chat.completions.create(model="stub-small", messages=messages)
provider.shutdown()
