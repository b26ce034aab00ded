"""Data for an application's own telemetry: the prompt on a span, and the lookups that memory did not answer."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from promptuary.client.prompt import Prompt, Source
from promptuary.client.span import mark_current_span


@dataclass(frozen=True)
class Lookup:
    """A lookup that memory did not answer, as `on_lookup` receives it.

    Args:
        name: the prompt's name.
        label: the requested label; None where a version was requested.
        version: the requested version; None where a label was requested.
        source: where the version came from; None when nothing had it and the call raised an error.
        seconds: how long the call took.
        reason: why the server's answer was not used: a `Reason`, or the error code of its refusal; None where it was used.
    """

    name: str
    label: str | None
    version: int | None
    source: Source | None
    seconds: float
    reason: str | None


def trace(prompt: Prompt) -> None:
    """Set a prompt's metadata on the current OpenTelemetry span; without opentelemetry-api or a span, do nothing.

    The attributes are those of `prompt.metadata`, with `gen_ai.prompt.name` and `gen_ai.prompt.version` beside them. Those two
    are set by `get` and `render`, too, once the application has imported OpenTelemetry.
    """
    api = _opentelemetry()
    if api is None:
        return
    span = api.get_current_span()
    if span.is_recording():
        mark_current_span(prompt.name, prompt.version)
        span.set_attributes(prompt.metadata)


@cache
def _opentelemetry() -> Any:
    """Return OpenTelemetry's API; None where it is not installed."""
    try:
        return import_module("opentelemetry.trace")
    except ImportError:
        return None
