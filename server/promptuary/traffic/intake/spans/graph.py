"""The spans around calls: those of the request, and those that wait from earlier ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptuary.core.database import Session
from promptuary.traffic.calls.model_call import Attribution, ModelCall, PromptMark, SpanLink
from promptuary.traffic.calls.user_hash import hash_user
from promptuary.traffic.intake.digests import span_digest
from promptuary.traffic.intake.spans.store import find_spans
from promptuary.traffic.intake.spans.waiting_span import SpanVariables, WaitingSpan

_DEPTH_LIMIT = 100
"""The most spans around a call that are looked at: a circle of parents ends there."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the spans around a call state, of each thing the nearest one that states it.

    Attributes:
        prompt: that the nearest span with a prompt names.
        variables: of that prompt, where the same span has them.
        user_hash: of the end user.
        conversation: the id of the conversation.
        is_whole: whether no further span can state more: the root is known, or everything is stated.
    """

    prompt: PromptMark | None = None
    variables: SpanVariables | None = None
    user_hash: str | None = None
    conversation: str | None = None
    is_whole: bool = False

    def with_outer(self, span: WaitingSpan) -> "Surroundings":
        """Return this with what only a span further out states."""
        is_nearest = self.prompt is None
        whole = replace(
            self,
            prompt=span.prompt if is_nearest else self.prompt,
            variables=span.variables if is_nearest and span.prompt is not None else self.variables,
            user_hash=self.user_hash or span.user_hash,
            conversation=self.conversation or span.conversation,
        )
        has_all = None not in (whole.prompt, whole.user_hash, whole.conversation)
        return replace(whole, is_whole=span.parent is None or has_all)


NOTHING = Surroundings()


class SpanGraph:
    """Finds what the spans around a call state."""

    def __init__(
        self, session: Session, project: int, links: Sequence[SpanLink] = (), calls: Sequence[ModelCall] = (), key: bytes = b""
    ) -> None:
        """Take the spans of a request; a call is a span around others, too. `key` is the secret that hashes ids of users."""
        self._session = session
        self._project = project
        self._key = key
        self._spans: dict[int, WaitingSpan] = {}
        for link in links:
            self._add(link)
        for call in calls:
            if call.trace_id is not None and call.span_id is not None:
                own = call.prompt if call.attribution is not Attribution.ANCESTOR else None
                variables = call.contents.variables if own is not None else None
                ids = call.trace_id, call.span_id, call.parent_span_id
                self._add(SpanLink(*ids, own, variables, call.user, call.conversation), is_call=True)
        self.own = [span for span in self._spans.values() if span.states_anything or span.parent is not None]
        """The spans of the request that may be around a call of another one."""

    def find(self, starts: Mapping[str, tuple[str, str]]) -> dict[str, Surroundings]:
        """Return what the spans around each start state: a trace, and the span to begin with."""
        surroundings: dict[str, Surroundings] = {}
        current = {key: span_digest(self._project, *start) for key, start in starts.items()}
        for _ in range(_DEPTH_LIMIT):
            self._load(current.values())
            following = {}
            for key, digest in current.items():
                span = self._spans.get(digest)
                if span is None:
                    continue
                surroundings[key] = around = surroundings.get(key, NOTHING).with_outer(span)
                if not around.is_whole and span.parent is not None:
                    following[key] = span.parent
            if not following:
                break
            current = following
        return surroundings

    def is_around(self, span: tuple[str, str], start: tuple[str, str]) -> bool:
        """Return whether a span is the start or around it, each of a trace's and a span's id."""
        outer, current = span_digest(self._project, *span), span_digest(self._project, *start)
        for _ in range(_DEPTH_LIMIT):
            if current == outer:
                return True
            self._load([current])
            known = self._spans.get(current)
            if known is None or known.parent is None:
                return False
            current = known.parent
        return False

    def _add(self, link: SpanLink, *, is_call: bool = False) -> None:
        span = span_digest(self._project, link.trace_id, link.span_id)
        parent = None if link.parent_span_id is None else span_digest(self._project, link.trace_id, link.parent_span_id)
        variables = None if link.variables is None else SpanVariables(link.variables)
        user_hash = hash_user(link.user, self._key) if link.user else None
        self._spans[span] = WaitingSpan(span, parent, link.prompt, variables, user_hash, link.conversation, is_call)

    def _load(self, digests: Iterable[int]) -> None:
        """Load spans of earlier requests."""
        missing = {digest for digest in digests if digest not in self._spans}
        self._spans.update(find_spans(self._session, missing))
