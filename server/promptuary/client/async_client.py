"""The client for asyncio. Connections and requests under way belong to the event loop that began them."""

import asyncio
import threading
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import httpx

from promptuary.client.base_client import BACKGROUND_LIMIT, BaseClient
from promptuary.client.lookup.cache import CacheEntry, PendingFetch
from promptuary.client.lookup.core import SERVER_SHARE, Fallback, FetchResult, FetchStep, LookupSteps, RefreshStep
from promptuary.client.prompt import Prompt
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
from promptuary.client.stream_reader import AsyncStreamReader
from promptuary.client.transport.connection import AsyncConnection
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    TIMED_OUT,
    FetchFailure,
    NotModified,
    ReceivedVersion,
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector


class _LoopState:
    """What belongs to one event loop: connections, and the lookups under way in it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.closed = False
        self.pending: dict[Selector, asyncio.Task[FetchResult]] = {}


class AsyncPromptuary(BaseClient[httpx.AsyncBaseTransport]):
    """The same as `Promptuary`, with `await`; see there for the arguments and errors. Safe to use from several loops.

    `on_lookup` is called in the loop, so it must not block. The stream of changes is read by a task of the loop that first
    had an answer; when that loop stops, one of the next takes over.
    """

    _follower: AsyncStreamReader | None = None
    _finalizer: "weakref.finalize[[], Any] | None" = None

    async def get(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        fallback: Fallback = None,
    ) -> Prompt:
        """Look a prompt up, by label (`production` by default) or by version; see `Promptuary.get`."""
        prompt = self._core.fresh(name, label, version, targeting_key)
        if prompt is not None:
            return prompt
        return await self._walk(self._core.lookup(name, label, version, targeting_key, fallback))

    async def render(
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
        """Have the server render a prompt, with the passages that its context retrieves; see `Promptuary.render`."""
        body = rendering_body(name, variables, label, version, targeting_key, query)
        loop, url = self._loop(), self._components.endpoint.rendering(name)
        answer = CLIENT_CLOSED if loop.closed else await loop.connection.request("POST", url, deadline, json=body)
        return read_rendering(name, answer)

    async def close(self) -> None:
        """Close for the running loop, after what is under way has ended or the deadline has passed. Memory still answers."""
        loop = self._loop()
        loop.closed = True
        follower = self._follower
        if follower is not None and follower.belongs_to(asyncio.get_running_loop()):
            follower.stop()
            await follower.ended()
        if loop.pending:
            _, late = await asyncio.wait(loop.pending.values(), timeout=self._core.policy.deadline)
            for flight in late:
                flight.cancel()
        await loop.connection.close()

    async def __aenter__(self) -> Self:
        """Give the client itself."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    def _begin(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = self._follower = None
        self._lock = threading.Lock()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopState] = WeakKeyDictionary()

    async def _walk(self, steps: LookupSteps) -> Prompt:
        """Do what the core says, step by step."""
        reply: Any = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, FetchStep):
                    reply = await self._ask(step)
                elif isinstance(step, RefreshStep):
                    if len(self._loop().pending) < BACKGROUND_LIMIT:
                        self._fetch(step.question)
                elif self._components.disk is not None:
                    reply = await asyncio.to_thread(self._components.disk.read, step.selector)
        except StopIteration as end:
            prompt: Prompt = end.value
            return prompt

    async def _ask(self, step: FetchStep) -> FetchResult:
        flight = self._fetch(step.question)
        if not isinstance(flight, asyncio.Task):
            return flight
        done, _ = await asyncio.wait((flight,), timeout=step.seconds)
        return flight.result() if done and not flight.cancelled() else TIMED_OUT

    def _fetch(self, question: PendingFetch) -> asyncio.Task[FetchResult] | FetchResult:
        """Join the lookup that is under way in this loop, or start one; or give what there is instead."""
        loop, key = self._loop(), question.about
        if loop.closed:
            return CLIENT_CLOSED
        pending = loop.pending
        if key in pending:
            return pending[key]
        held = self._core.entry(question.selector)
        if held is not None and held is not question.entry:
            return held
        failure = self._core.refusal()
        if failure is not None:
            return failure
        flight = pending[key] = asyncio.create_task(self._run_fetch(question))
        flight.add_done_callback(lambda flight: self._fetch_ended(flight, loop, question))
        return flight

    async def _run_fetch(self, question: PendingFetch) -> FetchResult:
        """Look up, take in what comes, and keep it for a restart."""
        loop = self._loop()
        url, query = self._components.endpoint.lookup(question.selector)
        seconds, etag = self._core.policy.deadline * SERVER_SHARE, question.entry.etag if question.entry else None
        answer = await loop.connection.request("GET", url, seconds, params=query, etag=etag)
        outcome = answer if isinstance(answer, FetchFailure) else read_lookup_response(answer, question.selector)
        settled = self._core.settle(question, outcome)
        if isinstance(outcome, ReceivedVersion | NotModified):
            self._follow(loop)
            if self._components.disk is not None:
                await asyncio.to_thread(self._components.disk.keep, question, outcome)
        return settled

    def _fetch_ended(self, flight: asyncio.Task[FetchResult], loop: _LoopState, question: PendingFetch) -> None:
        """Make room for the next lookup of the same; it comes at once where an event overtook the answer."""
        loop.pending.pop(question.about, None)
        if not flight.cancelled() and flight.exception() is None and isinstance(flight.result(), CacheEntry):
            again = self._core.again(question)
            if again is not None:
                flight.get_loop().call_later(again[0], self._fetch, again[1])

    def _follow(self, loop: _LoopState) -> None:
        """Have changes told, now that there is a server; in one loop at a time."""
        following = self._core.following
        if following is None or loop.closed or (self._follower is not None and self._follower.alive):
            return
        with self._lock:
            if self._follower is not None and self._follower.alive:
                return
            if self._finalizer is not None:
                self._finalizer()
            self._follower = AsyncStreamReader(self._core, following, loop.connection, weakref.WeakMethod(self._confirm))
            self._finalizer = weakref.finalize(self, self._follower.stop)
            self._finalizer.atexit = False

    async def _confirm(self, question: PendingFetch) -> None:
        """Ask again, and wait until that has ended."""
        flight = self._fetch(question)
        if isinstance(flight, asyncio.Task):
            await asyncio.wait((flight,), timeout=self._core.policy.deadline)

    def _loop(self) -> _LoopState:
        running = asyncio.get_running_loop()
        with self._lock:
            loop = self._loops.get(running)
            if loop is None:
                loop = self._loops[running] = _LoopState(AsyncConnection(self._components.endpoint, self._tls, self._transport))
            return loop
