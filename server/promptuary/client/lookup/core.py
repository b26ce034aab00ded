"""The client's decisions, without I/O and without a clock of its own: which tier answers, and when the server is asked.

A lookup is a generator of steps. A shell (`sync`, `aio`) takes each step and sends back what came of it; so the order of the
tiers is written once. Everything here may be called from several threads.
"""

import threading
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from typing import Any

from promptuary.client.bundle import Bundle
from promptuary.client.errors import PromptUnavailable, Reason
from promptuary.client.freshness import Freshness
from promptuary.client.lookup.breaker import Breaker
from promptuary.client.lookup.cache import SERVER_LAG, CacheEntry, PendingFetch, PromptCache
from promptuary.client.prompt import Prompt, Source
from promptuary.client.stream.change_stream import ChangeStream
from promptuary.client.telemetry import Lookup
from promptuary.client.transport.wire import (
    TIMED_OUT,
    FetchFailure,
    FetchOutcome,
    NotModified,
    ReceivedVersion,
    ServerRefusal,
    StreamEnd,
)
from promptuary.client.versions.selector import Selector, build_selector
from promptuary.client.versions.version import ResolvedVersion, fallback_version
from promptuary.prompt.errors import PromptuaryError

SERVER_SHARE = 0.95
"""How much of the deadline the server may use up; the rest is for the disk and the bundle."""
MAX_FETCHES = 3
"""How often one lookup may ask: which arms there are, for its arm, and once more if the split moved meanwhile."""
REFETCH_DELAYS = (0.0, SERVER_LAG / 4, SERVER_LAG)
"""After how many seconds an answer that an event overtook is asked for again, and again."""
Fallback = str | list[dict[str, Any]] | None


@dataclass(frozen=True)
class LookupPolicy:
    """How long things may take and how long they last, in seconds, and how many failures open the circuit."""

    ttl: float = 60.0
    deadline: float = 1.0
    failures: int = 3
    cool_down: float = 10.0
    entries: int = 10_000


@dataclass(frozen=True)
class DiskCopy:
    """What the disk held: the version, its ETag, and how many seconds ago a server confirmed it."""

    version: ResolvedVersion
    etag: str | None
    age: float


@dataclass(frozen=True)
class FetchStep:
    """Step: ask the server, or wait for whoever is asking it the same. Send back what `settle` gave, or a failure."""

    question: PendingFetch
    seconds: float


@dataclass(frozen=True)
class RefreshStep:
    """Step: ask the server in the background, unless that is under way. Nothing is sent back."""

    question: PendingFetch


@dataclass(frozen=True)
class ReadDiskStep:
    """Step: read the last known good. Send back what was stored, or None."""

    selector: Selector


LookupStep = FetchStep | RefreshStep | ReadDiskStep
FetchResult = CacheEntry | ServerRefusal | FetchFailure
LookupSteps = Generator[LookupStep, Any, Prompt]


class LookupCore:
    """The order of the tiers, the breaker, and what a stream of changes does to memory."""

    def __init__(
        self,
        policy: LookupPolicy,
        bundle: Bundle | None,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        *,
        follow: bool = False,
        on_lookup: Callable[[Lookup], object] | None = None,
    ) -> None:
        """Take the clock (monotonic, in seconds) and where to tell what an operator, and what the application should know."""
        self.policy = policy
        self._bundle = bundle
        self._clock = clock
        self._tell = tell
        self._on_lookup = on_lookup
        self._breaker = Breaker(policy.failures, policy.cool_down)
        self.following = following = ChangeStream(policy.ttl, clock) if follow else None
        watch = (lambda: None) if following is None else (lambda: following.watch)
        self._memory = PromptCache(policy.ttl, policy.entries, clock, watch)
        self.fresh = self._memory.fresh
        self.entry = self._memory.entry
        self._told: set[tuple[Selector | str, str]] = set()
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Take new locks: the old ones may be held by threads that this process does not have, nor has it their stream."""
        self._lock = threading.Lock()
        self._memory.after_fork()
        if self.following is not None:
            self.following.ended(StreamEnd("the process forked"))

    def lookup(
        self, name: str, label: str | None, version: int | None, targeting_key: str | None, fallback: Fallback
    ) -> LookupSteps:
        """Go through the tiers: memory, server, other memory, disk, bundle, fallback.

        Raises:
            Invalid: for a name, a label or a version that cannot be one, or for both of the last.
            InvalidPrompt: for a fallback that does not parse.
            Refused: when the server said no, and there is no fallback.
            PromptUnavailable: when no tier has it.
        """
        selector = build_selector(name, label, version, targeting_key)
        entry, started = self._memory.entry(selector), self._clock()
        if entry is not None:
            if not entry.fresh(started) and entry.retry_at <= started:
                yield RefreshStep(self._memory.question(selector))
            return entry.prompt
        spare = None if fallback is None else fallback_version(name, fallback)
        settled: FetchResult = yield from self._ask(selector, started + self.policy.deadline * SERVER_SHARE)
        reason = None if isinstance(settled, CacheEntry) else _reason(settled)
        try:
            prompt = yield from self._prompt(selector, settled, spare)
        except PromptuaryError:
            self._report(selector, None, started, reason)
            raise
        self._report(selector, prompt.source, started, reason)
        return prompt

    def _ask(self, selector: Selector, until: float) -> Generator[LookupStep, Any, FetchResult]:
        """Ask until the answer is for this selector: whose answer one waited for may be in another arm of a split label."""
        settled: FetchResult = TIMED_OUT
        for _ in range(MAX_FETCHES):
            question = self._memory.question(selector)
            if question.asked >= until:
                return TIMED_OUT
            settled = yield FetchStep(question, until - question.asked)
            if not isinstance(settled, CacheEntry) or self._memory.matches(settled.version, selector):
                return settled
        return FetchFailure(Reason.UNUSABLE, "the label's split moved again and again while it was asked for")

    def _prompt(self, selector: Selector, settled: FetchResult, spare: ResolvedVersion | None) -> LookupSteps:
        """Give what the server answered, or what there is instead."""
        if isinstance(settled, CacheEntry):
            prompt = settled.prompt
            return prompt.with_source(Source.SERVER) if prompt.source is Source.MEMORY else prompt
        why = settled.detail if isinstance(settled, FetchFailure) else settled.error.message
        found = yield from self._without_server(selector, isinstance(settled, FetchFailure))
        if found is not None:
            self._warn_once(selector, f"{why}; going on with what came from {found.prompt.source}")
            return found.prompt
        if spare is not None:
            self._warn_once(selector, f"{why}; going on with the fallback")
            return Prompt(spare, Source.FALLBACK, Freshness(None), self.policy.ttl, self._clock)
        if isinstance(settled, ServerRefusal):
            raise settled.error
        raise PromptUnavailable(f"{selector}: {why}; no copy, bundle or fallback has it", settled.reason)

    def _without_server(self, selector: Selector, copies: bool) -> Generator[LookupStep, Any, CacheEntry | None]:
        """Find it on disk or else in the bundle, to be confirmed by the server as soon as it answers.

        Of a split label, the key's own arm is looked for everywhere before another arm stands in for it.
        """
        other = self._memory.latest_entry(selector)
        if not copies:
            return other
        stored: DiskCopy | None = yield ReadDiskStep(selector)
        if stored is not None and self._memory.matches(stored.version, selector):
            return self._memory.found(selector, stored.version, stored.etag, Source.DISK, self._clock() - stored.age)
        version = self._bundle.find(selector) if self._bundle else None
        if version is not None and self._memory.matches(version, selector):
            return self._memory.found(selector, version, None, Source.BUNDLE, None)
        if other is None and stored is not None:
            return self._memory.found(selector, stored.version, stored.etag, Source.DISK, self._clock() - stored.age)
        return other

    def heard(self, chunk: bytes) -> Collection[PendingFetch]:
        """Take in what came from the stream, and give what to ask the server again now.

        Raises:
            Unusable: for what is no stream of a Promptuary server.
        """
        if self.following is None:
            return ()
        questions: dict[Selector, PendingFetch] = {}
        for change in self.following.heard(chunk):
            questions |= self._memory.invalidate(change.name, change.revision)
        if self.following.live:
            self._forget_warnings("stream")
        return questions.values()

    def stream_ended(self, how: StreamEnd) -> float:
        """Take in that the stream is over, and give the seconds to wait before it is asked for again."""
        if self.following is None:
            return 0.0
        if how.refused:
            self._warn_once(
                "stream", f"there is no stream of changes ({how.detail}); prompts are asked for again after their ttl"
            )
        return self.following.ended(how)

    def again(self, question: PendingFetch) -> tuple[float, PendingFetch] | None:
        """Give the seconds to wait and what to ask then, where an event overtook the answer to a question."""
        if question.tries >= len(REFETCH_DELAYS) or not self._memory.overtaken(question):
            return None
        return REFETCH_DELAYS[question.tries], self._memory.question(question.selector, question.tries + 1)

    def refusal(self) -> FetchFailure | None:
        """Say why the server may not be asked now; None gives leave to ask once."""
        with self._lock:
            return self._breaker.refusal(self._clock())

    def overdue(self) -> FetchFailure:
        """Count a request that did not end in time as failed; what it brings later is still taken."""
        with self._lock:
            self._breaker.failed(self._clock(), None)
        return TIMED_OUT

    def settle(self, question: PendingFetch, outcome: FetchOutcome, *, counted: bool = False) -> FetchResult:
        """Take in what a request brought.

        Args:
            question: what was asked.
            outcome: what came.
            counted: whether `overdue` has counted this request already.
        """
        now, held = self._clock(), question.entry
        if isinstance(outcome, NotModified) and held is None:
            outcome = FetchFailure(Reason.UNUSABLE, "the server answered 304 to a request without an ETag")
        with self._lock:
            if not isinstance(outcome, FetchFailure):
                self._breaker.succeeded()
            elif not counted:
                self._breaker.failed(now, outcome.retry_after)
        if isinstance(outcome, ReceivedVersion | NotModified):
            self._forget_warnings(question.selector.without_targeting_key())
        if isinstance(outcome, ReceivedVersion):
            return self._memory.answered(question.selector, outcome.version, outcome.etag, question.asked)
        if isinstance(outcome, NotModified):
            assert held is not None
            return self._memory.answered(question.selector, held.version, held.etag, question.asked)
        if held is not None:
            why = outcome.detail if isinstance(outcome, FetchFailure) else outcome.error.message
            self._warn_once(question.selector, f"{why}; going on with what came from {held.prompt.source}")
            if isinstance(outcome, ServerRefusal):
                self._memory.put_off(held, now + self.policy.ttl)
        return outcome

    def _report(self, selector: Selector, source: Source | None, started: float, reason: str | None) -> None:
        """Tell the application of a lookup. What its hook raises is told and costs no lookup."""
        if self._on_lookup is None:
            return
        seconds = self._clock() - started
        try:
            self._on_lookup(Lookup(selector.name, selector.label, selector.version, source, seconds, reason))
        except Exception as error:  # the application's own code
            self._warn_once("on_lookup", f"on_lookup raised {type(error).__name__}; lookups go on without it")

    def _warn_once(self, about: Selector | str, message: str) -> None:
        """Tell an operator, once until the server answers for the selector again, or the stream is there."""
        told = (about.without_targeting_key() if isinstance(about, Selector) else about, message)
        with self._lock:
            new = told not in self._told and len(self._told) < self.policy.entries
            if new:
                self._told.add(told)
        if new:
            self._tell(f"{about}: {message}" if isinstance(about, Selector) else message)

    def _forget_warnings(self, about: Selector | str) -> None:
        if self._told:
            with self._lock:
                self._told = {told for told in self._told if told[0] != about}


def _reason(settled: ServerRefusal | FetchFailure) -> str:
    return str(settled.reason) if isinstance(settled, FetchFailure) else settled.error.code
