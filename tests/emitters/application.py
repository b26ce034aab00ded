"""What every program here shares: an application that looks up its prompt, and answers a ticket with a model."""

import os
from typing import Any

from openai import OpenAI

from promptuary import Promptuary
from promptuary.client.prompt import Prompt

NAME = "support.triage"
TICKET = "My parcel has not come."
MODEL = os.environ.get("MODEL", "stub-small")


def look_up() -> Prompt:
    """Return the prompt in production."""
    with Promptuary() as client:
        return client.get(NAME)


def openai() -> OpenAI:
    """Return OpenAI's client of the stub."""
    return OpenAI(max_retries=0)


def ask(client: Any, prompt: Prompt, **settings: Any) -> str | None:
    """Ask a client of OpenAI with the rendered prompt; return the answer, None for an error."""
    messages = prompt.render(ticket=TICKET)
    try:
        completion = client.chat.completions.create(model=MODEL, messages=messages, **settings)
    except Exception as error:
        if type(error).__name__ != "RateLimitError":
            raise
        return None
    return str(completion.choices[0].message.content)


def provider() -> Any:
    """Return a provider that sends to OTEL_EXPORTER_OTLP_ENDPOINT, as the one of all libraries."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracer_provider)
    return tracer_provider
