"""The client for asyncio. Connections and requests in flight belong to the event loop that began them."""

import asyncio
import sys
import threading
import weakref
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from promptuary.client.async_stream_reader import AsyncStreamReader
from promptuary.client.base_client import BACKGROUND_LIMIT, BaseClient
from promptuary.client.disk.background import DiskRead
from promptuary.client.in_use import uses
from promptuary.client.in_use.attributes import note_rendering, note_use
from promptuary.client.lookup.core import SERVER_SHARE, Fallback
from promptuary.client.lookup.entry import CacheEntry, PendingFetch
from promptuary.client.lookup.steps import (
    CallFallbackStep,
    DiskCopy,
    FetchResult,
    FetchStep,
    LookupSteps,
    ReadDiskStep,
    Refetch,
    RefreshStep,
)
from promptuary.client.prompt import Prompt
from promptuary.client.registry.async_methods import AsyncRegistryCalls
from promptuary.client.registry.calls import Attempts, RegistryCall, T, encode_body
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
from promptuary.client.span import OPENTELEMETRY, mark_current_span
from promptuary.client.transport.async_connection import AsyncConnection
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    TIMED_OUT,
    FetchFailure,
    NotModified,
    ReceivedVersion,
    conditional_headers,
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector

if TYPE_CHECKING:
    import httpx

    _Client = BaseClient[httpx.AsyncBaseTransport]
else:  # httpx is imported by who makes a client
    _Client = BaseClient

if TYPE_CHECKING:
    pass

_loaded_modules = sys.modules


class _LoopState:
    """What belongs to one event loop: its connections, and the lookups in flight."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.closed = False
        self.pending: dict[Selector, asyncio.Task[FetchResult]] = {}
        self.started_at: dict[Selector, float] = {}


class AsyncPromptuary(AsyncRegistryCalls, _Client):
    """`Promptuary` for asyncio, with `await`; see there for the arguments and errors. Several loops may share one.

    `on_lookup` is called in the loop, so it must not block. The stream of changes is read by a task of the loop that first
    received an answer; when that loop stops, another one takes over. `observe` and `feedback` do their work at once, with or
    without `await`: a thread sends what they queue.
    """

    _reader: AsyncStreamReader | None = None
    _finalizer: "weakref.finalize[[], Any] | None" = None

    async def get(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        fallback: Fallback = None,
        max_age: float | None = None,
    ) -> Prompt:
        """Return a prompt, by label (`production` by default) or by version; see `Promptuary.get`.

        The function of a fallback may be a coroutine function.
        """
        if max_age is None:
            prompt = self._fresh_prompt(name, label, version, targeting_key)
            if prompt is not None:
                if OPENTELEMETRY in _loaded_modules:
                    mark_current_span(prompt.name, prompt.version)
                    if uses.is_followed:
                        note_use(prompt.metadata, prompt.name, prompt.version)
                return prompt
        return await self._run_steps(self._core.lookup(name, label, version, targeting_key, fallback, max_age))

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
        """Return a prompt rendered by the server, with the passages that its context retrieves; see `Promptuary.render`."""
        body = encode_body(rendering_body(name, variables, label, version, targeting_key, query))
        loop, url = self._loop(), self._components.endpoint.rendering(name)
        response = CLIENT_CLOSED if loop.closed else await loop.connection.request("POST", url, deadline, body=body)
        rendering = read_rendering(name, version, response)
        note_rendering(rendering, variables)
        return rendering

    async def _call(self, call: RegistryCall[T], deadline: float) -> T:
        loop = self._loop()
        url = self._components.endpoint.url + call.path
        attempts = Attempts(self._clock, deadline, closed=loop.closed)
        for seconds in attempts:
            attempts.response = await loop.connection.request(
                call.method, url, seconds, params=call.params, headers=call.headers, body=call.body
            )
        return call.result(attempts.response)

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until every call and feedback reported before is sent or dropped; see `Promptuary.flush`."""
        if not self._traffic.counts.queued:
            return True
        return await asyncio.get_running_loop().run_in_executor(None, self._traffic.flush, timeout)

    async def close(self) -> None:
        """Close for the running loop, after its requests have ended or the deadline has passed. Memory still answers.

        Calls and feedback that are queued are sent before, within `exit_deadline`; those that are not are counted as unsent.
        """
        if self._traffic.counts.queued:
            await asyncio.get_running_loop().run_in_executor(None, self._traffic.end, self._clock())
        self._traffic.disconnect()
        loop = self._loop()
        loop.closed = True
        reader = self._reader
        if reader is not None and reader.belongs_to(asyncio.get_running_loop()):
            reader.stop()
            await reader.ended()
        if loop.pending:
            _, late = await asyncio.wait(loop.pending.values(), timeout=self._core.policy.deadline)
            for lookup in late:
                lookup.cancel()
        await loop.connection.close()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    def _begin(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = self._reader = None
        self._lock = threading.Lock()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopState] = WeakKeyDictionary()

    async def _run_steps(self, steps: LookupSteps) -> Prompt:
        """Execute the steps of a lookup."""
        reply: Any = None
        disk_read = DiskRead(self._components.disk)
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, FetchStep):
                    reply = await self._fetch_and_wait(step, disk_read)
                elif isinstance(step, RefreshStep):
                    if len(self._loop().pending) < BACKGROUND_LIMIT:
                        self._fetch(step.fetch)
                elif isinstance(step, ReadDiskStep):
                    reply = await _wait_for_disk(disk_read, step)
                else:
                    reply = await _call_fallback(step)
        except StopIteration as end:
            prompt: Prompt = end.value
            mark_current_span(prompt.name, prompt.version)
            if uses.is_followed:
                note_use(prompt.metadata, prompt.name, prompt.version)
            return prompt

    async def _fetch_and_wait(self, step: FetchStep, disk_read: DiskRead) -> FetchResult:
        lookup = self._fetch(step.fetch)
        if not isinstance(lookup, asyncio.Task):
            return lookup
        done, _ = await asyncio.wait((lookup,), timeout=step.seconds / 2)
        if not done:
            disk_read.start(step.fetch.selector)
            done, _ = await asyncio.wait((lookup,), timeout=step.seconds / 2)
        return lookup.result() if done and not lookup.cancelled() else TIMED_OUT

    def _fetch(self, fetch: PendingFetch) -> asyncio.Task[FetchResult] | FetchResult:
        """Join the request in flight in this loop, or start one; or return what makes one unnecessary or impossible."""
        loop = self._loop()
        if loop.closed:
            return CLIENT_CLOSED
        if fetch.key in loop.pending and loop.started_at[fetch.key] >= fetch.earliest:
            return loop.pending[fetch.key]
        entry = self._core.entry(fetch.selector)
        if entry is not None and entry is not fetch.entry and fetch.may_join_any:
            return entry  # another request brought it meanwhile
        failure = self._core.refusal()
        if failure is not None:
            return failure
        lookup = loop.pending[fetch.key] = asyncio.create_task(self._run_fetch(fetch))
        loop.started_at[fetch.key] = self._clock()
        lookup.add_done_callback(lambda lookup: self._fetch_ended(lookup, loop, fetch))
        return lookup

    async def _run_fetch(self, fetch: PendingFetch) -> FetchResult:
        """Make the request, apply its outcome, and store a copy for a restart."""
        loop = self._loop()
        url, query = self._components.endpoint.lookup(fetch.selector)
        seconds, etag = self._core.policy.deadline * SERVER_SHARE, fetch.entry.etag if fetch.entry else None
        response = await loop.connection.request("GET", url, seconds, params=query, headers=conditional_headers(etag))
        outcome = response if isinstance(response, FetchFailure) else read_lookup_response(response, fetch.selector, etag)
        result = self._core.settle(fetch, outcome)
        if isinstance(outcome, ReceivedVersion | NotModified):
            self._follow(loop)
        if self._components.disk is not None and self._core.changes_copies(result):
            stored = self._components.disk.store(fetch, outcome, lambda: self._core.is_overtaken(fetch, result))
            done, _ = await asyncio.wait((asyncio.wrap_future(stored),), timeout=self._core.policy.deadline)
            if done and not stored.result():
                self._core.request_whole(fetch)
        return result

    def _fetch_ended(self, lookup: asyncio.Task[FetchResult], loop: _LoopState, fetch: PendingFetch) -> None:
        """Make room for the next request with this key; it starts by itself where an event overtook the response."""
        if loop.pending.get(fetch.key) is lookup:
            del loop.pending[fetch.key], loop.started_at[fetch.key]
        if not lookup.cancelled() and lookup.exception() is None and isinstance(lookup.result(), CacheEntry):
            refetch = self._core.refetch(fetch)
            if refetch is not None:
                lookup.get_loop().call_later(refetch.delay, self._fetch_again, refetch)

    def _fetch_again(self, refetch: Refetch) -> None:
        fetch = self._core.confirmation(refetch.selector, refetch.attempt)
        if fetch is not None:
            self._fetch(fetch)

    def _follow(self, loop: _LoopState) -> None:
        """Start to read the stream of changes, now that there is a server; in one loop at a time."""
        stream = self._core.following
        if stream is None or loop.closed or (self._reader is not None and self._reader.alive):
            return
        with self._lock:
            if self._reader is not None and self._reader.alive:
                return
            if self._finalizer is not None:
                self._finalizer()
            self._reader = AsyncStreamReader(self._core, stream, loop.connection, weakref.WeakMethod(self._confirm))
            self._finalizer = weakref.finalize(self, self._reader.stop)
            self._finalizer.atexit = False

    async def _confirm(self, selector: Selector) -> None:
        """Ask the server about an entry that an event invalidated, and wait until the request has ended."""
        fetch = self._core.confirmation(selector)
        lookup = None if fetch is None else self._fetch(fetch)
        if isinstance(lookup, asyncio.Task):
            await asyncio.wait((lookup,), timeout=self._core.policy.deadline)

    def _loop(self) -> _LoopState:
        running = asyncio.get_running_loop()
        with self._lock:
            loop = self._loops.get(running)
            if loop is None:
                connection = AsyncConnection(self._components.endpoint, self._tls, self._transport)
                loop = self._loops[running] = _LoopState(connection)
            return loop


async def _call_fallback(step: CallFallbackStep) -> object:
    """Return what the application's fallback returned, awaited where it is to be, or the exception that it raised."""
    try:
        value = step.call()
        return await value if isinstance(value, Awaitable) else value
    except Exception as error:  # the application's own code
        return error


async def _wait_for_disk(disk_read: DiskRead, step: ReadDiskStep) -> DiskCopy | None:
    """Return the copy on disk, as `DiskRead.wait` does, without blocking the event loop."""
    disk_read.start(step.selector)
    future = disk_read.future
    if future is None:
        return None
    await asyncio.wait((asyncio.wrap_future(future),), timeout=step.seconds)
    return future.result() if future.done() else None
