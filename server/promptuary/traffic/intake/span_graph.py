"""The spans around calls: those of the request, and those that wait from earlier ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.core.database import Session
from promptuary.traffic.calls.model_call import ModelCall, PromptMark, SpanLink
from promptuary.traffic.intake.digests import span_digest
from promptuary.traffic.intake.store import WaitingSpan, find_spans

_DEPTH_LIMIT = 100
"""The most spans between a call and the one that names its prompt: a circle of parents ends there."""


@dataclass(frozen=True, slots=True)
class NamedPrompt:
    """The prompt that a span names, with the values of its variables where the span has them."""

    mark: PromptMark
    variables: Mapping[str, Any] | None = None


class SpanGraph:
    """Finds the nearest span around a call that names a prompt."""

    def __init__(self, session: Session, project: int, links: Sequence[SpanLink], calls: Sequence[ModelCall]) -> None:
        """Take the spans of a request; a call is a span around others, too."""
        self._session = session
        self._project = project
        self._spans: dict[int, WaitingSpan] = {}
        for link in links:
            self._add(link)
        for call in calls:
            if call.trace_id is not None and call.span_id is not None:
                self._add(SpanLink(call.trace_id, call.span_id, call.parent_span_id, call.prompt, call.contents.variables))
        self.own = [span for span in self._spans.values() if span.parent is not None or span.prompt is not None]
        """The spans of the request that may be around a call of another one."""

    def find_marks(self, starts: Mapping[str, tuple[str, str]]) -> dict[str, NamedPrompt]:
        """Return the prompt that the nearest span names, for each start: a trace, and the span to begin with."""
        marks: dict[str, NamedPrompt] = {}
        current = {key: span_digest(self._project, *start) for key, start in starts.items()}
        for _ in range(_DEPTH_LIMIT):
            self._load(current.values())
            following = {}
            for key, digest in current.items():
                span = self._spans.get(digest)
                if span is None:
                    continue
                if span.prompt is not None:
                    marks[key] = NamedPrompt(span.prompt, span.variables)
                elif span.parent is not None:
                    following[key] = span.parent
            if not following:
                break
            current = following
        return marks

    def _add(self, link: SpanLink) -> None:
        span = span_digest(self._project, link.trace_id, link.span_id)
        parent = None if link.parent_span_id is None else span_digest(self._project, link.trace_id, link.parent_span_id)
        self._spans[span] = WaitingSpan(span, parent, link.prompt, link.variables)

    def _load(self, digests: Iterable[int]) -> None:
        """Load spans of earlier requests."""
        missing = {digest for digest in digests if digest not in self._spans}
        self._spans.update(find_spans(self._session, missing))
