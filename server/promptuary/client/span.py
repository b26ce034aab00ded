"""The prompt's name and version on the current OpenTelemetry span, where the application has imported OpenTelemetry."""

import sys

SEMANTIC_NAME = "gen_ai.prompt.name"
"""The name of the prompt in OpenTelemetry's semantic conventions."""
SEMANTIC_VERSION = "gen_ai.prompt.version"
"""The version beside it, as a text like the conventions' other versions."""
OPENTELEMETRY = "opentelemetry.trace"
"""The module whose import by the application turns this on; the client itself imports nothing for it."""


def mark_current_span(name: str, version: int | None) -> None:
    """Set the prompt's name and version on the current span; without OpenTelemetry, or a span that is recorded, do nothing."""
    api = sys.modules.get(OPENTELEMETRY)
    current_span = getattr(api, "get_current_span", None)
    if current_span is None:
        return
    span = current_span()
    if span.is_recording():
        span.set_attribute(SEMANTIC_NAME, name)
        if version is not None:
            span.set_attribute(SEMANTIC_VERSION, str(version))
