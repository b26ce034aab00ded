"""The client for threads. Requests run in threads of their own, so that a caller's deadline holds whatever the network does."""

import threading
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from promptuary.client.base_client import BACKGROUND_LIMIT, BaseClient
from promptuary.client.errors import Reason
from promptuary.client.lookup.cache import PendingFetch
from promptuary.client.lookup.core import SERVER_SHARE, Fallback, FetchResult, FetchStep, LookupSteps, RefreshStep
from promptuary.client.prompt import Prompt
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
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
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector

ABANDONED_AFTER_DEADLINES = 10
"""After how many deadlines a request that does not end is given up for lost."""


class _PendingLookup:
    """One lookup under way, for everyone who asks the same."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.finished = threading.Event()
        self.settled: FetchResult | None = None
        self.counted = False


class _PendingCall:
    """One request for one caller."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.answer: HttpResponse | FetchFailure = TIMED_OUT


class Promptuary(BaseClient[httpx.BaseTransport]):
    """Looks prompts up, and goes on doing so when the server does not. Safe to share between threads, and across a fork.

    Args:
        url: the server; else `PROMPTUARY_URL`, else http://127.0.0.1:8400.
        api_key: the key; else `PROMPTUARY_API_KEY`.
        ttl: seconds for which an answer is served from memory; after them it still is, while one request renews it.
        deadline: seconds that a `get` takes at most, connecting and reading included.
        follow: have the server tell of changes, over one connection a process that is opened after the first lookup; False,
            or a server or proxy that does not do it, leaves it at asking again after the `ttl`.
        bundle: a JSON file of versions for a start without the server (see `promptuary.client.bundle`).
        cache_dir: where last known goods are kept for a restart; else `PROMPTUARY_CACHE_DIR`, else ~/.cache/promptuary.
        disk: False keeps nothing on disk.
        breaker_failures: after so many failures in a row the server is left alone …
        breaker_cool_down: … for so many seconds.
        on_lookup: is called with a `Lookup` after every `get` that memory did not answer, in the thread that made it.
        transport: an httpx transport, for tests and proxies. A fork shares it; without one, each process makes its own.

    Raises:
        InvalidSettings: for a URL, a key or a number that cannot be one.
        InvalidBundle: for a bundle that is missing or has another shape.
    """

    _follower: StreamReader | None = None
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
    ) -> Prompt:
        """Look a prompt up, by label (`production` by default) or by version.

        Args:
            name: the prompt's name.
            label: a label, or `latest`.
            version: a version's number, instead of a label.
            targeting_key: whom the prompt is for; the same key stays in the same arm of a split label.
            fallback: a mustache text, or a list of messages, for when nothing else has the prompt.

        Raises:
            PromptNotFound, KeyRefused, RequestRefused: when the server said no, and there is no fallback.
            PromptUnavailable: when the server does not answer, and nothing else has the prompt.
            Invalid: for a name, label, version or fallback that cannot be one.
        """
        prompt = self._core.fresh(name, label, version, targeting_key)
        return prompt if prompt is not None else self._walk(self._core.lookup(name, label, version, targeting_key, fallback))

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
        """Have the server render a prompt, with the passages that its context retrieves. Nothing is cached or repeated.

        Args:
            name: the prompt's name.
            variables: the values to fill in.
            label: a label; `production` when there is no version either.
            version: a version's number, instead of a label.
            targeting_key: whom the prompt is for, as in `get`.
            query: what to search the collection for, instead of the prompt's own query.
            deadline: seconds that it takes at most.

        Raises:
            PromptNotFound, KeyRefused, RequestRefused, InvalidVariables: when the server said no.
            PromptUnavailable: when it does not answer.
        """
        body = rendering_body(name, variables, label, version, targeting_key, query)
        call = _PendingCall()

        def ask() -> None:
            call.answer = self._connection.request("POST", self._components.endpoint.rendering(name), deadline, json=body)
            call.ended.set()

        failure = CLIENT_CLOSED if self._closed else self._start(ask)
        if failure is None:
            call.ended.wait(deadline)
        return read_rendering(name, failure or call.answer)

    def close(self) -> None:
        """Close the connections, after what is under way has ended or the deadline has passed. Memory still answers."""
        until = self._clock() + self._core.policy.deadline
        with self._lock:
            self._closed = True
            follower = self._follower
        self._closing.set()
        if follower is not None:
            follower.stop(max(0.0, until - self._clock()))
        for flight in list(self._pending.values()):
            flight.finished.wait(max(0.0, until - self._clock()))
        self._connection.close()

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _begin(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = self._follower = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._pending: dict[Selector, _PendingLookup] = {}
        self._connection = Connection(self._components.endpoint, self._tls, self._transport, self._clock)

    def _walk(self, steps: LookupSteps) -> Prompt:
        """Do what the core says, step by step."""
        reply: Any = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, FetchStep):
                    reply = self._ask(step)
                elif isinstance(step, RefreshStep):
                    if len(self._pending) < BACKGROUND_LIMIT:
                        self._fetch(step.question)
                elif self._components.disk is not None:
                    reply = self._components.disk.read(step.selector)
        except StopIteration as end:
            prompt: Prompt = end.value
            return prompt

    def _ask(self, step: FetchStep) -> FetchResult:
        flight = self._fetch(step.question)
        if not isinstance(flight, _PendingLookup):
            return flight
        if not flight.counted:
            flight.finished.wait(step.seconds)
        if flight.settled is not None:
            return flight.settled
        return self._core.overdue() if self._count(flight) else TIMED_OUT

    def _fetch(self, question: PendingFetch) -> _PendingLookup | FetchResult:
        """Join the lookup that is under way, or start one; or give what there is instead."""
        now = self._clock()
        with self._lock:
            if self._closed:
                return CLIENT_CLOSED
            flight = self._pending.get(question.about)
            if flight is not None and now - flight.started < ABANDONED_AFTER_DEADLINES * self._core.policy.deadline:
                return flight
            held = self._core.entry(question.selector)
            if held is not None and held is not question.entry:
                return held
            failure = self._core.refusal()
            if failure is not None:
                return failure
            flight = self._pending[question.about] = _PendingLookup(now)
        failure = self._start(lambda: self._run_fetch(flight, question))
        if failure is not None:
            self._settle(flight, question, failure)
        return flight

    def _run_fetch(self, flight: _PendingLookup, question: PendingFetch) -> None:
        """Look up, in a thread of its own; and have it looked up once more where an event overtook the answer."""
        url, query = self._components.endpoint.lookup(question.selector)
        seconds, etag = self._core.policy.deadline * SERVER_SHARE, question.entry.etag if question.entry else None
        answer = self._connection.request("GET", url, seconds, params=query, etag=etag)
        outcome = answer if isinstance(answer, FetchFailure) else read_lookup_response(answer, question.selector)
        self._settle(flight, question, outcome)
        if isinstance(outcome, ReceivedVersion | NotModified):
            self._follow()
            again = self._core.again(question)
            if again is not None and not self._closing.wait(again[0]):
                self._fetch(again[1])

    def _settle(self, flight: _PendingLookup, question: PendingFetch, outcome: FetchOutcome) -> None:
        """Take in what came, keep it for a restart, and let everyone go on who waits for it."""
        counted = isinstance(outcome, FetchFailure) and not self._count(flight)
        try:
            flight.settled = self._core.settle(question, outcome, counted=counted)
            if self._components.disk is not None:
                self._components.disk.keep(question, outcome)
        finally:
            with self._lock:
                if self._pending.get(question.about) is flight:
                    del self._pending[question.about]
            flight.finished.set()

    def _count(self, flight: _PendingLookup) -> bool:
        """Tell whether a flight's failure is still to be counted; it is, once."""
        with self._lock:
            counted, flight.counted = flight.counted, True
        return not counted

    def _follow(self) -> None:
        """Have changes told, now that there is a server; once a process."""
        following = self._core.following
        if following is None or self._follower is not None:
            return
        with self._lock:
            if self._closed or self._follower is not None:
                return
            follower = StreamReader(self._core, following, self._connection, weakref.WeakMethod(self._confirm))
            try:
                follower.start()
            except RuntimeError:
                return  # no thread can be started; the next answer tries again
            self._follower = follower
            self._finalizer = weakref.finalize(self, follower.stop, 0.0)
            self._finalizer.atexit = False

    def _confirm(self, question: PendingFetch) -> None:
        """Ask again, and wait until that has ended."""
        flight = self._fetch(question)
        if isinstance(flight, _PendingLookup):
            flight.finished.wait(self._core.policy.deadline)

    def _start(self, work: Callable[[], None]) -> FetchFailure | None:
        """Start a thread that does not keep the process alive; say so when there can be no more of them."""
        try:
            threading.Thread(target=work, name="promptuary-client", daemon=True).start()
        except RuntimeError:
            return FetchFailure(Reason.CONNECTION, "no thread can be started for the request")
        return None
