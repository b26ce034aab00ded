"""The client for threads. Requests run in their own threads, so that a caller's deadline applies whatever the network does."""

import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from promptuary.client.base_client import BACKGROUND_LIMIT, BaseClient
from promptuary.client.disk.background import DiskRead
from promptuary.client.errors import Reason
from promptuary.client.in_use import uses
from promptuary.client.in_use.attributes import note_rendering, note_use
from promptuary.client.lookup.core import SERVER_SHARE, Fallback
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import CallFallbackStep, FetchResult, FetchStep, LookupSteps, ReadDiskStep, RefreshStep
from promptuary.client.prompt import Prompt
from promptuary.client.registry.calls import Attempts, RegistryCall, T, encode_body
from promptuary.client.registry.methods import SyncRegistryCalls
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
from promptuary.client.span import OPENTELEMETRY, mark_current_span
from promptuary.client.stream_reader import StreamReader
from promptuary.client.transport.connection import Connection
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    TIMED_OUT,
    FetchFailure,
    FetchOutcome,
    HttpResponse,
    NotModified,
    ReceivedVersion,
    conditional_headers,
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector

if TYPE_CHECKING:
    import httpx

    _Client = BaseClient[httpx.BaseTransport]
else:  # httpx is imported by who makes a client
    _Client = BaseClient

if TYPE_CHECKING:
    pass

_loaded_modules = sys.modules
ABANDONED_AFTER_DEADLINES = 10
"""Deadlines after which a request that does not end counts as lost, so that another may start."""


class _PendingLookup:
    """A request in flight, shared by all callers whose request is the same.

    Attributes:
        started_at: when, in monotonic seconds.
        finished: set when the result is there and stored.
        result: what it brought.
        responded: whether the server's response is there; from then on the request is no longer late.
        timed_out: whether a caller's deadline passed before; the breaker has counted that as the request's failure.
    """

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.finished = threading.Event()
        self.result: FetchResult | None = None
        self.responded = False
        self.timed_out = False


class _PendingCall:
    """A request for one caller."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.response: HttpResponse | FetchFailure = TIMED_OUT


class Promptuary(SyncRegistryCalls, _Client):
    """Looks prompts up, also while the server is down. It is safe to share between threads, and across a fork.

    Args:
        url: the server's URL; by default `PROMPTUARY_URL`, else http://127.0.0.1:8400.
        api_key: the API key; by default `PROMPTUARY_API_KEY`.
        ttl: seconds for which an answer is fresh. After them it is still returned at once, while one request renews it.
        deadline: seconds that a `get` takes at most, connecting and reading included.
        follow: whether to follow the server's stream of changes, over one connection per process that opens after the first
            lookup. With False, or where the server or a proxy does not support it, answers are renewed after the `ttl`.
        bundle: a JSON file of versions, for a start without the server (see `promptuary.client.bundle`).
        cache_dir: where copies for a restart are stored; by default `PROMPTUARY_CACHE_DIR`, else ~/.cache/promptuary.
        disk: whether to store copies on disk.
        keep_on_missing: whether copies in memory and on disk stay in use after the server reported that it no longer has the
            prompt, label or version. By default they end then.
        breaker_failures: after so many failures in a row the server is not asked …
        breaker_cool_down: … for so many seconds.
        on_lookup: called with a `Lookup` after every `get` that memory did not answer, in the thread that made it.
        contents: whether `observe` and `feedback` send what people wrote: variables, messages, answers, comments, users. With
            False only what is counted leaves the process.
        exit_deadline: seconds that the end of the process, or `close`, waits without an answer of the server for calls and
            feedback that are queued; for a server that answers, it waits up to 20 s.
        transport: an httpx transport, for tests and proxies. A fork shares it; without one, each process makes its own.

    Raises:
        InvalidSettings: for a URL, a key or a number that cannot be used.
        InvalidBundle: for a bundle that is missing or has another shape.
    """

    _reader: StreamReader | None = None
    _finalizer: "weakref.finalize[[float], Any] | None" = None
    _closed = False

    def get(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        fallback: Fallback = None,
        max_age: float | None = None,
    ) -> Prompt:
        """Return a prompt, by label (`production` by default) or by version.

        Args:
            name: the prompt's name.
            label: a label, or `latest`.
            version: a version's number, instead of a label.
            targeting_key: whom the prompt is for; the same key stays in the same arm of a split label.
            fallback: a mustache text, or a list of messages, to use when nothing else has the prompt; or a function without
                parameters that returns one, called only then, outside the deadline.
            max_age: seconds that the answer's confirmation by a server may be ago. An older one is not returned before the
                server was asked, within the deadline; 0 always asks. Without an answer, copies are returned as stale ones.

        Raises:
            PromptNotFound, KeyRefused, RequestRefused: when the server refused the request, and there is no fallback.
            PromptUnavailable: when the server does not answer, and nothing else has the prompt.
            FallbackFailed: when a fallback was needed, and its function raised an exception.
            Invalid: for a name, label, version, fallback or age that is not valid.
        """
        if max_age is None:
            prompt = self._fresh_prompt(name, label, version, targeting_key)
            if prompt is not None:
                if OPENTELEMETRY in _loaded_modules:
                    mark_current_span(prompt.name, prompt.version)
                    if uses.is_followed:
                        note_use(prompt.metadata, prompt.name, prompt.version)
                return prompt
        return self._run_steps(self._core.lookup(name, label, version, targeting_key, fallback, max_age))

    def render(
        self,
        name: str,
        *,
        variables: Mapping[str, Any] | None = None,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        query: str | None = None,
        deadline: float = RENDER_DEADLINE,
    ) -> Rendering:
        """Return a prompt rendered by the server, with the passages that its context retrieves. Nothing is cached or repeated.

        Args:
            name: the prompt's name.
            variables: the values to fill in.
            label: a label; by default `production`, unless a version is given.
            version: a version's number, instead of a label.
            targeting_key: whom the prompt is for, as in `get`.
            query: what to search the collection for, instead of the prompt's own query.
            deadline: seconds that the call takes at most.

        Raises:
            PromptNotFound, KeyRefused, RequestRefused, InvalidVariables: when the server refused the request.
            PromptUnavailable: when the server does not answer.
        """
        body = encode_body(rendering_body(name, variables, label, version, targeting_key, query))
        url = self._components.endpoint.rendering(name)
        response = self._request_within(deadline, lambda: self._connection.request("POST", url, deadline, body=body))
        rendering = read_rendering(name, version, response)
        note_rendering(rendering, variables)
        return rendering

    def _call(self, call: RegistryCall[T], deadline: float) -> T:
        attempts = Attempts(self._clock, deadline)
        for seconds in attempts:
            attempts.response = self._request_within(seconds, partial(self._request, call, seconds))
        return call.result(attempts.response)

    def _request(self, call: RegistryCall[Any], seconds: float) -> HttpResponse | FetchFailure:
        url = self._components.endpoint.url + call.path
        return self._connection.request(call.method, url, seconds, params=call.params, headers=call.headers, body=call.body)

    def _request_within(
        self, seconds: float, request: Callable[[], HttpResponse | FetchFailure]
    ) -> HttpResponse | FetchFailure:
        """Make a request for one caller in a thread, and wait for it at most so many seconds."""
        call = _PendingCall()

        def run() -> None:
            call.response = request()
            call.ended.set()

        failure = CLIENT_CLOSED if self._closed else self._start(run)
        if failure is None:
            call.ended.wait(seconds)
        return failure or call.response

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every call and feedback reported before is sent or dropped; return whether it is, within the timeout.

        Args:
            timeout: seconds; None waits for as long as the server does not answer, at most ten minutes.
        """
        return self._traffic.flush(timeout)

    def close(self) -> None:
        """Close the connections after the requests in flight have ended or the deadline has passed. Memory still answers.

        Calls and feedback that are queued are sent before, within `exit_deadline`, or counted as unsent;
        later ones are dropped.
        """
        self._traffic.close()
        until = self._clock() + self._core.policy.deadline
        with self._lock:
            self._closed = True
            reader = self._reader
        self._closing.set()
        if reader is not None:
            reader.stop(max(0.0, until - self._clock()))
        for lookup in list(self._pending.values()):
            lookup.finished.wait(max(0.0, until - self._clock()))
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _begin(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = self._reader = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._pending: dict[Selector, _PendingLookup] = {}
        self._connection = Connection(self._components.endpoint, self._tls, self._transport, self._clock)

    def _run_steps(self, steps: LookupSteps) -> Prompt:
        """Execute the steps of a lookup."""
        reply: Any = None
        disk_read = DiskRead(self._components.disk)
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, FetchStep):
                    reply = self._fetch_and_wait(step, disk_read)
                elif isinstance(step, RefreshStep):
                    if len(self._pending) < BACKGROUND_LIMIT:
                        self._fetch(step.fetch)
                elif isinstance(step, ReadDiskStep):
                    reply = disk_read.wait(step)
                else:
                    reply = _call_fallback(step)
        except StopIteration as end:
            prompt: Prompt = end.value
            mark_current_span(prompt.name, prompt.version)
            if uses.is_followed:
                note_use(prompt.metadata, prompt.name, prompt.version)
            return prompt

    def _fetch_and_wait(self, step: FetchStep, disk_read: DiskRead) -> FetchResult:
        lookup = self._fetch(step.fetch)
        if not isinstance(lookup, _PendingLookup):
            return lookup
        if not lookup.timed_out and not lookup.finished.wait(step.seconds / 2):
            disk_read.start(step.fetch.selector)
        return self._wait_for(lookup, step.seconds / 2)

    def _wait_for(self, lookup: _PendingLookup, seconds: float) -> FetchResult:
        """Wait for a request; where it is late, count that once, unless its response is being stored already."""
        if not lookup.timed_out:
            lookup.finished.wait(seconds)
        with self._lock:
            if lookup.result is not None:
                return lookup.result
            if lookup.timed_out or lookup.responded:
                return TIMED_OUT
            lookup.timed_out = True
        return self._core.count_timeout()

    def _fetch(self, fetch: PendingFetch) -> _PendingLookup | FetchResult:
        """Join the request in flight, or start one; or return what makes one unnecessary or impossible."""
        with self._lock:
            if self._closed:
                return CLIENT_CLOSED
            now = self._clock()
            lookup = self._pending.get(fetch.key)
            if (
                lookup is not None
                and now - lookup.started_at < ABANDONED_AFTER_DEADLINES * self._core.policy.deadline
                and lookup.started_at >= fetch.earliest
            ):
                return lookup
            entry = self._core.entry(fetch.selector)
            if entry is not None and entry is not fetch.entry and fetch.may_join_any:
                return entry  # another request brought it meanwhile
            failure = self._core.refusal()
            if failure is not None:
                return failure
            lookup = self._pending[fetch.key] = _PendingLookup(now)
        failure = self._start(lambda: self._run_fetch(lookup, fetch))
        if failure is not None:
            self._settle(lookup, fetch, failure)
        return lookup

    def _run_fetch(self, lookup: _PendingLookup, fetch: PendingFetch) -> None:
        """Make the request, in a thread of its own, and make it again where an event overtook the response."""
        url, query = self._components.endpoint.lookup(fetch.selector)
        seconds, etag = self._core.policy.deadline * SERVER_SHARE, fetch.entry.etag if fetch.entry else None
        response = self._connection.request("GET", url, seconds, params=query, headers=conditional_headers(etag))
        outcome = response if isinstance(response, FetchFailure) else read_lookup_response(response, fetch.selector, etag)
        self._settle(lookup, fetch, outcome)
        if isinstance(outcome, ReceivedVersion | NotModified):
            self._follow()
            refetch = self._core.refetch(fetch)
            if refetch is not None and not self._closing.wait(refetch.delay):
                again = self._core.confirmation(refetch.selector, refetch.attempt)
                if again is not None:
                    self._fetch(again)

    def _settle(self, lookup: _PendingLookup, fetch: PendingFetch, outcome: FetchOutcome) -> None:
        """Apply the outcome, store a copy for a restart, and release everyone who waits."""
        with self._lock:
            lookup.responded, counted = True, lookup.timed_out
        try:
            lookup.result = result = self._core.settle(fetch, outcome, counted=counted)
            if self._components.disk is not None and self._core.changes_copies(result):
                stored = self._components.disk.cache.store(fetch, outcome, lambda: self._core.is_overtaken(fetch, result))
                if not stored:
                    self._core.request_whole(fetch)
        finally:
            with self._lock:
                if self._pending.get(fetch.key) is lookup:
                    del self._pending[fetch.key]
            lookup.finished.set()

    def _follow(self) -> None:
        """Start to read the stream of changes, now that there is a server; once per process."""
        stream = self._core.following
        if stream is None or self._reader is not None:
            return
        with self._lock:
            if self._closed or self._reader is not None:
                return
            reader = StreamReader(self._core, stream, self._connection, weakref.WeakMethod(self._confirm))
            try:
                reader.start()
            except RuntimeError:
                return  # no thread can be started; the next response tries again
            self._reader = reader
            self._finalizer = weakref.finalize(self, reader.stop, 0.0)
            self._finalizer.atexit = False

    def _confirm(self, selector: Selector) -> None:
        """Ask the server about an entry that an event invalidated, and wait until the request has ended."""
        fetch = self._core.confirmation(selector)
        lookup = None if fetch is None else self._fetch(fetch)
        if isinstance(lookup, _PendingLookup):
            lookup.finished.wait(self._core.policy.deadline)

    def _start(self, work: Callable[[], None]) -> FetchFailure | None:
        """Start a thread that does not keep the process alive; return a failure where no thread can be started."""
        try:
            threading.Thread(target=work, name="promptuary-client", daemon=True).start()
        except RuntimeError:
            return FetchFailure(Reason.CONNECTION, "no thread can be started for the request")
        return None


def _call_fallback(step: CallFallbackStep) -> object:
    """Return what the application's fallback returned, or the exception that it raised."""
    try:
        value = step.call()
        if isinstance(value, Coroutine):
            value.close()
            return TypeError("it is a coroutine function, which only AsyncPromptuary can await")
    except Exception as error:  # the application's own code
        return error
    return value
