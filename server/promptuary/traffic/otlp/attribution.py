"""Which prompt a call belongs to where its own span names none: that of the nearest span around it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark
from promptuary.traffic.otlp.prompt_marks import complete_mark, read_mark, read_variables
from promptuary.traffic.otlp.wire.spans import TraceSpan

SpanKey = tuple[str, str]


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

    def ancestors(self, call: ModelCall) -> list[TraceSpan]:
        """Return the spans of the request around a call, the nearest first."""
        spans: list[TraceSpan] = []
        visited = {call.span_id}
        parent = call.parent_span_id
        while parent is not None and parent not in visited:
            visited.add(parent)
            span = self._spans.get((call.trace_id or "", parent))
            if span is None:
                break
            spans.append(span)
            parent = span.parent_span_id
        return spans

    def attribute(self, call: ModelCall) -> ModelCall:
        """Return a call with the prompt of the nearest span around it, where its own span does not name one."""
        if call.parent_span_id is None or (call.prompt is not None and call.prompt.version is not None):
            return call
        for span in self.ancestors(call):
            mark = self.mark(span)
            if mark is None:
                continue
            if call.prompt is not None:
                return replace(call, prompt=complete_mark(call.prompt, mark))
            variables = call.contents.variables or _variables(span)
            contents = call.contents if variables is None else replace(call.contents, variables=variables)
            return replace(call, prompt=mark, attribution=Attribution.ANCESTOR, contents=contents)
        return call


def _variables(span: TraceSpan) -> Mapping[str, Any] | None:
    return read_variables(span.attributes) if span.is_complete else None
