"""A span processor that sets the prompt in use on each span that starts, so also on that of any instrumentation's call."""

from collections.abc import Mapping
from typing import Any

from promptuary.client.in_use import uses
from promptuary.client.in_use.attributes import VARIABLE_PREFIX
from promptuary.client.span import SEMANTIC_NAME

try:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
    from opentelemetry.trace import SpanKind, get_current_span
except ImportError as error:
    raise ImportError("PromptSpanProcessor needs OpenTelemetry's SDK: pip install opentelemetry-sdk") from error

SPANS_LIMIT = 10_000
"""The most open spans whose prompt is remembered for the spans inside them."""


class PromptSpanProcessor(SpanProcessor):
    """Sets the prompt in use on each span that starts: `provider.add_span_processor(PromptSpanProcessor())`.

    The attributes are `gen_ai.prompt.name`, `gen_ai.prompt.version` as a text, and those of `prompt.metadata`. A span that
    names a prompt itself keeps its own.

    Args:
        variables: whether the variables of `render` are set, too, as `gen_ai.prompt.variable.<name>`; they are people's data.
    """

    def __init__(self, *, variables: bool = False) -> None:
        """Make `get` and `render` note the prompt from now on."""
        self._variables = variables
        self._open: dict[int, Mapping[str, Any]] = {}
        uses.is_followed = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the prompt in use, or the one of the span around."""
        parent = get_current_span(parent_context).get_span_context()
        parent_id = parent.span_id if parent.is_valid else uses.NO_SPAN
        is_entry = span.kind in (SpanKind.SERVER, SpanKind.CONSUMER)
        attributes = uses.find_use(parent_id, is_entry=is_entry) or self._open.get(parent_id)
        if attributes is None or (span.attributes and SEMANTIC_NAME in span.attributes):
            return
        span.set_attributes(
            {name: value for name, value in attributes.items() if self._variables or not name.startswith(VARIABLE_PREFIX)}
        )
        context = span.get_span_context()
        if context is not None:
            self._open[context.span_id] = attributes
            if len(self._open) > SPANS_LIMIT:
                self._open.pop(next(iter(self._open)), None)

    def on_end(self, span: ReadableSpan) -> None:
        """Remove the span."""
        context = span.get_span_context()
        if context is not None:
            self._open.pop(context.span_id, None)
