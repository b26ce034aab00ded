"""The client's decisions, without I/O and without a clock of its own: which tier answers, and when the server is asked.

A lookup is a generator of steps. A client (`sync_client`, `async_client`) carries each step out and sends its result back, so
the order of the tiers is written once. Everything here is safe to call from several threads.
"""

import threading
from collections.abc import Awaitable, Callable, Collection, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from promptuary.client.bundle import Bundle
from promptuary.client.errors import FallbackFailed, PromptUnavailable, Reason
from promptuary.client.freshness import DISTANT_PAST, Freshness
from promptuary.client.lookup.breaker import CircuitBreaker
from promptuary.client.lookup.cache import SERVER_LAG, PromptCache
from promptuary.client.lookup.entry import CacheEntry, PendingFetch
from promptuary.client.lookup.steps import (
    CallFallbackStep,
    DiskCopy,
    FetchResult,
    FetchStep,
    LookupStep,
    LookupSteps,
    ReadDiskStep,
    Refetch,
    RefreshStep,
)
from promptuary.client.lookup.warning_log import WarningLog
from promptuary.client.prompt import Prompt, Source
from promptuary.client.stream.change_stream import ChangeStream, PromptChange, StreamAttempt
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
from promptuary.prompt.errors import Invalid, PromptuaryError

SERVER_SHARE = 0.95
"""The share of the deadline that the server may use; the rest is for the disk and the bundle."""
MAX_FETCHES = 3
"""Requests that one lookup may make: for the split, for the key's arm, and once more for a split that moved meanwhile."""
REFETCH_DELAYS = (0.0, SERVER_LAG / 4, SERVER_LAG)
"""Seconds before a response that an event overtook is requested again, for each attempt."""
FallbackContent = str | list[dict[str, Any]] | None
Fallback = FallbackContent | Callable[[], FallbackContent | Awaitable[FallbackContent]]
"""A mustache text, a list of messages, or a function that returns one of them when it is needed."""
_STREAM, _HOOK = "stream", "on_lookup"


@dataclass(frozen=True)
class LookupPolicy:
    """The timing and limits of lookups.

    Attributes:
        ttl: seconds for which an answer is fresh.
        deadline: seconds that a lookup takes at most.
        failures: failures in a row that open the circuit.
        cool_down: seconds for which the circuit stays open.
        entries: labels and numbers that memory keeps.
        keep_on_missing: whether a copy stays in use after the server reported that it no longer has the prompt or label.
    """

    ttl: float = 60.0
    deadline: float = 1.0
    failures: int = 3
    cool_down: float = 10.0
    entries: int = 10_000
    keep_on_missing: bool = False


@dataclass(frozen=True)
class _Request:
    """A lookup that memory alone did not answer; all times are monotonic seconds.

    Attributes:
        selector: the requested version.
        started: when the lookup began.
        until: when its deadline is over.
        spare: the fallback's version, or the function that returns a fallback.
        max_age: the age in seconds that an answer may have without asking the server; None for the rules of the `ttl`.
    """

    selector: Selector
    started: float
    until: float
    spare: ResolvedVersion | Callable[[], object] | None
    max_age: float | None


class LookupCore:
    """The order of the tiers, the circuit breaker, and the effect of the stream of changes on memory."""

    def __init__(
        self,
        policy: LookupPolicy,
        bundle: Bundle | None,
        clock: Callable[[], float],
        warn: Callable[[str], None],
        *,
        follow: bool = False,
        on_lookup: Callable[[Lookup], object] | None = None,
    ) -> None:
        """Build the memory and the breaker.

        Args:
            policy: the timing and limits.
            bundle: the application's bundle file, if it has one.
            clock: a monotonic clock in seconds.
            warn: reports a sentence to the operator.
            follow: whether the client follows the server's stream of changes.
            on_lookup: the application's hook, called after every lookup that memory did not answer.
        """
        self.policy = policy
        self.following = stream = ChangeStream(policy.ttl, clock) if follow else None
        self._bundle = bundle
        self._clock = clock
        self._warnings = WarningLog(warn, policy.entries)
        self._on_lookup = on_lookup
        self._breaker = CircuitBreaker(policy.failures, policy.cool_down)
        coverage = (lambda: None) if stream is None else (lambda: stream.coverage)
        self._cache = PromptCache(policy.ttl, policy.entries, clock, coverage)
        self.fresh_prompt = self._cache.fresh_prompt
        self.entry = self._cache.entry
        self.pending_fetch = self._cache.pending_fetch
        self.confirmation = self._cache.confirmation
        self.is_superseded = self._cache.is_superseded
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Replace the locks, which threads of the parent may own, and end the stream, which this process does not have."""
        self._lock = threading.Lock()
        self._cache.after_fork()
        self._warnings.after_fork()
        if self.following is not None:
            self.following.after_fork()
            self._cache.expire_labels()  # so that the first lookup of each asks, and the child follows changes itself

    # --- a lookup -------------------------------------------------------------------------------------------------------

    def lookup(
        self,
        name: str,
        label: str | None,
        version: int | None,
        targeting_key: str | None,
        fallback: Fallback,
        max_age: float | None = None,
    ) -> LookupSteps:
        """Yield the steps of a lookup and return its prompt: memory, server, disk, bundle, another arm, fallback.

        Raises:
            Invalid: for a name, a label or a version that cannot be one, for both a label and a version, or for a negative age.
            InvalidPrompt: for a fallback that does not parse.
            FallbackFailed: for a fallback that raised an exception.
            Refused: when the server refused the request, and there is no fallback.
            PromptUnavailable: when no tier has the prompt.
        """
        selector = build_selector(name, label, version, targeting_key)
        entry, started = self._cache.entry(selector), self._clock()
        if max_age is not None and not max_age >= 0:
            raise Invalid("max_age is a number of seconds, at least 0")
        if entry is not None and (max_age is None or entry.is_younger_than(max_age, started)):
            if not entry.is_fresh(started) and entry.retry_at <= started:
                yield RefreshStep(self._cache.pending_fetch(selector))
            return entry.prompt
        spare = fallback if fallback is None or callable(fallback) else fallback_version(name, fallback)
        request = _Request(selector, started, started + self.policy.deadline, spare, max_age)
        result: FetchResult = yield from self._fetch(request)
        reason = None if isinstance(result, CacheEntry) else _reason(result)
        try:
            prompt = yield from self._prompt(request, result)
        except PromptuaryError:
            self._report(selector, None, started, reason)
            raise
        self._report(selector, prompt.source, started, reason)
        return prompt

    def _fetch(self, request: "_Request") -> Generator[LookupStep, Any, FetchResult]:
        """Ask until the response is for this selector: a shared request may bring another arm of a split label."""
        result: FetchResult = TIMED_OUT
        until = request.started + self.policy.deadline * SERVER_SHARE
        earliest = DISTANT_PAST if request.max_age is None else request.started - request.max_age
        for _ in range(MAX_FETCHES):
            fetch = replace(self._cache.pending_fetch(request.selector), earliest=earliest)
            if fetch.requested_at >= until:
                return TIMED_OUT
            result = yield FetchStep(fetch, until - fetch.requested_at)
            if not isinstance(result, CacheEntry) or self._cache.matches(result.version, request.selector):
                return result
        return FetchFailure(Reason.UNUSABLE, "the label's split changed with every response")

    def _prompt(self, request: "_Request", result: FetchResult) -> LookupSteps:
        """Return what the server answered, or what there is instead."""
        selector = request.selector
        if isinstance(result, CacheEntry):
            prompt = result.prompt
            return prompt.with_source(Source.SERVER) if prompt.source is Source.MEMORY else prompt
        entry = None
        if not self.ends_copies(result):
            entry = yield from self._without_server(selector, request.until if isinstance(result, FetchFailure) else None)
        if entry is not None:
            self._warn(selector, f"{_detail(result)}; using the version from {entry.prompt.source}")
            return entry.prompt if request.max_age is None else entry.prompt.as_stale()
        spare = yield from _fallback_version(request, result)
        if spare is not None:
            self._warn(selector, f"{_detail(result)}; using the fallback")
            return Prompt(spare, Source.FALLBACK, Freshness(None), self.policy.ttl, self._clock)
        if isinstance(result, ServerRefusal):
            raise result.error
        raise PromptUnavailable(f"{selector}: {result.detail}; no copy, bundle or fallback has it", result.reason)

    def _without_server(self, selector: Selector, until: float | None) -> Generator[LookupStep, Any, CacheEntry | None]:
        """Return what memory, the disk or the bundle has, to be confirmed by the server as soon as it answers.

        On a split label, the key's own arm is sought everywhere before another arm takes its place. What memory has is read
        after the disk, too: another caller's response may have arrived meanwhile.

        Args:
            selector: the requested version.
            until: when the deadline is over; None where the server refused, so that copies do not stand in for it.
        """
        if until is None:
            return self._cache.latest_entry(selector)
        entry = self._cache.entry(selector)
        if entry is not None:
            return entry
        seconds = max(until - self._clock(), self.policy.deadline * (1 - SERVER_SHARE))
        stored: DiskCopy | None = yield ReadDiskStep(selector, seconds)
        entry = self._cache.entry(selector)
        if entry is not None:
            return entry
        if stored is not None and self._cache.matches(stored.version, selector):
            return self._store_disk_copy(selector, stored)
        version = self._bundle.find(selector) if self._bundle else None
        if version is not None and self._cache.matches(version, selector):
            return self._cache.store_copy(selector, version, None, Source.BUNDLE, None)
        other_arm = self._cache.latest_entry(selector)
        return self._store_disk_copy(selector, stored) if other_arm is None and stored is not None else other_arm

    def _store_disk_copy(self, selector: Selector, copy: DiskCopy) -> CacheEntry:
        return self._cache.store_copy(selector, copy.version, copy.etag, Source.DISK, self._clock() - copy.age)

    # --- requests -------------------------------------------------------------------------------------------------------

    def refusal(self) -> FetchFailure | None:
        """Return why the server may not be asked now; None permits one request."""
        with self._lock:
            return self._breaker.refusal(self._clock())

    def count_timeout(self) -> FetchFailure:
        """Count a request that did not end in time as failed; what it brings later is still stored."""
        with self._lock:
            self._breaker.failed(self._clock(), None)
        return TIMED_OUT

    def settle(self, fetch: PendingFetch, outcome: FetchOutcome, *, counted: bool = False) -> FetchResult:
        """Apply the outcome of a request to the breaker and to memory.

        Args:
            fetch: the request.
            outcome: what it brought.
            counted: whether `count_timeout` has counted this request already.

        Returns:
            The stored entry, or why there is none.
        """
        if isinstance(outcome, NotModified) and fetch.entry is None:
            outcome = FetchFailure(Reason.UNUSABLE, "the server answered 304 to a request without an ETag")
        self._record(outcome, counted)
        if isinstance(outcome, ReceivedVersion):
            self._warnings.clear(fetch.selector.without_targeting_key())
            return self._cache.store_response(fetch, outcome.version, outcome.etag)
        if isinstance(outcome, NotModified):
            assert fetch.entry is not None
            self._warnings.clear(fetch.selector.without_targeting_key())
            return self._cache.store_response(fetch, fetch.entry.version, fetch.entry.etag)
        if self.ends_copies(outcome):
            if self._cache.remove(fetch, arm_only=outcome.is_erased) and fetch.entry is not None:
                self._warn(fetch.selector, f"{_detail(outcome)}; the version in use until now is dropped")
            return outcome
        if fetch.entry is not None:
            self._warn(fetch.selector, f"{_detail(outcome)}; using the version from {fetch.entry.prompt.source}")
            if isinstance(outcome, ServerRefusal):
                self._cache.postpone_retry(fetch.entry, self._clock() + self.policy.ttl)
        return outcome

    def changes_copies(self, result: FetchResult) -> bool:
        """Return whether the disk must learn of a result: of a version, or that the server no longer has it."""
        return isinstance(result, CacheEntry) or self.ends_copies(result)

    def is_overtaken(self, fetch: PendingFetch, result: FetchResult) -> bool:
        """Return whether memory has a later answer by now that contradicts a result, so that the disk must not learn of it."""
        if isinstance(result, CacheEntry):
            return self.is_superseded(result)
        return self._cache.entry(fetch.selector) is not None

    def ends_copies(self, outcome: FetchOutcome) -> TypeGuard[ServerRefusal]:
        """Return whether the server reported that it no longer has the prompt, so that no copy stands in for it."""
        return isinstance(outcome, ServerRefusal) and outcome.is_missing and not self.policy.keep_on_missing

    def _record(self, outcome: FetchOutcome, counted: bool) -> None:
        with self._lock:
            if not isinstance(outcome, FetchFailure):
                self._breaker.succeeded()
            elif not counted:
                self._breaker.failed(self._clock(), outcome.retry_after)

    def request_whole(self, fetch: PendingFetch) -> None:
        """Request the entry without its ETag next time: the disk does not have the version that the server confirmed."""
        if fetch.entry is not None:
            self._cache.drop_etag(fetch.selector)

    def refetch(self, fetch: PendingFetch) -> Refetch | None:
        """Return when to request the same again, where an event overtook the response; None where none did."""
        if fetch.attempt >= len(REFETCH_DELAYS) or self._cache.confirmation(fetch.selector) is None:
            return None
        return Refetch(REFETCH_DELAYS[fetch.attempt], fetch.selector, fetch.attempt + 1)

    # --- the stream of changes ------------------------------------------------------------------------------------------

    def on_stream_chunk(self, attempt: StreamAttempt, chunk: bytes) -> Collection[Selector]:
        """Apply bytes of the stream, and return what the server must confirm now.

        Raises:
            UnusableResponse: for what is no stream of a Promptuary server.
        """
        if self.following is None:
            return ()
        to_confirm: dict[Selector, Selector] = {}

        def apply(change: PromptChange) -> None:
            to_confirm.update(self._cache.invalidate(change.name, change.revision, versions=change.versions))

        self.following.read(attempt, chunk, apply)
        if self.following.live:
            self._warnings.clear(_STREAM)
        return to_confirm.values()

    def on_stream_end(self, attempt: StreamAttempt, end: StreamEnd) -> float:
        """Record that a connection of the stream is over, and return the seconds to wait before the next."""
        if self.following is None:
            return 0.0
        if end.refused:
            self._warnings.warn(_STREAM, f"there is no stream of changes ({end.detail}); prompts are renewed after their ttl")
        return self.following.end(attempt, end)

    # --- reports --------------------------------------------------------------------------------------------------------

    def _report(self, selector: Selector, source: Source | None, started: float, reason: str | None) -> None:
        """Report a lookup to the application. An error in its hook is logged once and affects no lookup."""
        if self._on_lookup is None:
            return
        seconds = self._clock() - started
        try:
            self._on_lookup(Lookup(selector.name, selector.label, selector.version, source, seconds, reason))
        except Exception as error:  # the application's own code
            self._warnings.warn(_HOOK, f"on_lookup raised {type(error).__name__}; lookups continue without it")

    def _warn(self, selector: Selector, message: str) -> None:
        """Warn once, until the server answers for the selector again."""
        self._warnings.warn(selector.without_targeting_key(), message, f"{selector}: {message}")


def _fallback_version(
    request: _Request, result: ServerRefusal | FetchFailure
) -> Generator[LookupStep, Any, ResolvedVersion | None]:
    """Return the version of the fallback, which a function returns only now; None where there is none.

    Raises:
        FallbackFailed: when the function raised an exception.
        InvalidPrompt: when it returned what is no fallback.
    """
    spare, name = request.spare, request.selector.name
    if spare is None or isinstance(spare, ResolvedVersion):
        return spare
    value = yield CallFallbackStep(spare)
    if isinstance(value, Exception):
        raise FallbackFailed(
            f"{request.selector}: {_detail(result)}; and its fallback raised {type(value).__name__}: {value}"
        ) from value
    return None if value is None else fallback_version(name, value)


def _reason(result: ServerRefusal | FetchFailure) -> str:
    return str(result.reason) if isinstance(result, FetchFailure) else result.error.code


def _detail(result: ServerRefusal | FetchFailure) -> str:
    return result.detail if isinstance(result, FetchFailure) else result.error.message
