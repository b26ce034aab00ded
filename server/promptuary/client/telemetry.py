"""What an application's own telemetry gets: the prompt on a span, and a word about lookups that memory did not answer."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from promptuary.client.prompt import Prompt, Source

SEMANTIC_NAME = "gen_ai.prompt.name"
"""The name of the prompt in OpenTelemetry's semantic conventions, which have none for its version."""


@dataclass(frozen=True)
class Lookup:
    """A lookup that memory did not answer, as `on_lookup` is told of it.

    Args:
        name: the prompt's name.
        label: the label that was asked for; None where it was a version.
        version: the version that was asked for; None where it was a label.
        source: where the answer came from; None when nothing had it and the call raised.
        seconds: how long the call took.
        reason: why the server's answer was not given: a `Reason`, or the code of the error with which it said no.
    """

    name: str
    label: str | None
    version: int | None
    source: Source | None
    seconds: float
    reason: str | None


def trace(prompt: Prompt) -> None:
    """Put a prompt's metadata on the current OpenTelemetry span; without opentelemetry-api or a span, nothing happens.

    The attributes are those of `prompt.metadata`, and `gen_ai.prompt.name` beside them.
    """
    api = _opentelemetry()
    if api is None:
        return
    span = api.get_current_span()
    if span.is_recording():
        span.set_attributes({SEMANTIC_NAME: prompt.name, **prompt.metadata})


@cache
def _opentelemetry() -> Any:
    """Give OpenTelemetry's API; None where it is not installed. It is looked for once."""
    try:
        return import_module("opentelemetry.trace")
    except ImportError:
        return None
