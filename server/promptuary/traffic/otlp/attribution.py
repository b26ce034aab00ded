"""Which prompt a call belongs to where its own span names none: that of the nearest span around it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark
from promptuary.traffic.otlp.prompt_marks import complete_mark, read_mark, read_variables
from promptuary.traffic.otlp.wire.spans import TraceSpan

SpanKey = tuple[str, str]
ANCESTORS_LIMIT = 100
"""The most spans around a call that are looked at, so that a request of one long chain does not take its square."""


class SpanTree:
    """The spans of one request by their ids, with the prompts that they name, each read once."""

    def __init__(self, spans: Sequence[TraceSpan]) -> None:
        self._spans: dict[SpanKey, TraceSpan] = {(span.trace_id, span.span_id): span for span in spans}
        self._marks: dict[SpanKey, PromptMark | None] = {}

    def mark(self, span: TraceSpan) -> PromptMark | None:
        """Return the prompt that a span names."""
        key = (span.trace_id, span.span_id)
        if key not in self._marks:
            self._marks[key] = read_mark(span.attributes)
        return self._marks[key]

    def ancestors(self, call: ModelCall) -> Iterator[TraceSpan]:
        """Yield the spans of the request around a call, the nearest first."""
        visited = {call.span_id}
        parent = call.parent_span_id
        while parent is not None and parent not in visited and len(visited) <= ANCESTORS_LIMIT:
            visited.add(parent)
            span = self._spans.get((call.trace_id or "", parent))
            if span is None:
                break
            yield span
            parent = span.parent_span_id

    def attribute(self, call: ModelCall) -> ModelCall:
        """Return a call with the prompt of the nearest span around it, and with what that knows more of its own."""
        has_all = call.prompt is not None and call.prompt.version is not None and call.contents.variables is not None
        if call.parent_span_id is None or has_all:
            return call
        for span in self.ancestors(call):
            mark = self.mark(span)
            if mark is None:
                continue
            if call.prompt is not None and call.prompt.name != mark.name:
                return call
            variables = _variables(span) if call.contents.variables is None else None
            if variables is not None:
                call = replace(call, contents=replace(call.contents, variables=variables))
            if call.prompt is None:
                return replace(call, prompt=mark, attribution=Attribution.ANCESTOR)
            return replace(call, prompt=complete_mark(call.prompt, mark))
        return call


def _variables(span: TraceSpan) -> Mapping[str, Any] | None:
    return read_variables(span.attributes) if span.is_complete else None
