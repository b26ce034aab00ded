"""The client for asyncio. Connections and requests under way belong to the event loop that began them."""

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import httpx

from promptuary.client import fork
from promptuary.client.connection import AsyncConnection, tls_for
from promptuary.client.core import SERVER_SHARE, Ask, Entry, Fallback, Refresh, Settled, Steps
from promptuary.client.prompt import Prompt
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
from promptuary.client.settings import Options, fittings
from promptuary.client.wire import CLOSED, LATE, Failure, Received, Selector, Unchanged, read_lookup

BACKGROUND_LIMIT = 16
"""How many requests may be under way before a refresh waits for the next `get` instead."""


class _Loop:
    """What belongs to one event loop: connections, and the lookups under way in it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.closed = False
        self.flights: dict[Selector, asyncio.Task[Settled]] = {}


class AsyncPromptuary:
    """The same as `Promptuary`, with `await`; see there for the arguments and errors. Safe to use from several loops."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        ttl: float = 60.0,
        deadline: float = 1.0,
        bundle: str | Path | None = None,
        cache_dir: str | Path | None = None,
        disk: bool = True,
        breaker_failures: int = 3,
        breaker_cool_down: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = time.monotonic
        options = Options(url, api_key, ttl, deadline, bundle, cache_dir, disk, breaker_failures, breaker_cool_down)
        self._fittings = fittings(options, self._clock)
        self._core = self._fittings.core
        self._tls = tls_for(self._fittings.endpoint)
        self._transport = transport
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()
        self._inherited: list[_Loop] = []
        self._lock = threading.Lock()
        fork.remember(self)

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
        query: str | None = None,
        deadline: float = RENDER_DEADLINE,
    ) -> Rendering:
        """Have the server render a prompt, with the passages that its context retrieves; see `Promptuary.render`."""
        body = rendering_body(name, variables, label, version, query)
        loop, url = self._loop(), self._fittings.endpoint.rendering(name)
        answer = CLOSED if loop.closed else await loop.connection.request("POST", url, deadline, json=body)
        return read_rendering(name, answer)

    async def close(self) -> None:
        """Close for the running loop, after what is under way has ended or the deadline has passed. Memory still answers."""
        loop = self._loop()
        loop.closed = True
        if loop.flights:
            _, late = await asyncio.wait(loop.flights.values(), timeout=self._core.policy.deadline)
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

    def __repr__(self) -> str:
        """Name the server; the key is left out."""
        return f"<AsyncPromptuary at {self._fittings}>"

    def after_fork(self) -> None:
        """Let go of the parent's connections, locks and tasks, in the child."""
        self._core.after_fork()
        self._lock = threading.Lock()
        # Kept and not closed: closing would say good-bye on connections that the parent still uses.
        self._inherited += self._loops.values()
        self._loops = WeakKeyDictionary()

    async def _walk(self, steps: Steps) -> Prompt:
        """Do what the core says, step by step."""
        reply: Any = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, Ask):
                    reply = await self._ask(step)
                elif isinstance(step, Refresh):
                    if len(self._loop().flights) < BACKGROUND_LIMIT:
                        self._fly(step.selector, step.entry)
                elif self._fittings.disk is not None:
                    reply = await asyncio.to_thread(self._fittings.disk.read, step.selector)
        except StopIteration as end:
            prompt: Prompt = end.value
            return prompt

    async def _ask(self, step: Ask) -> Settled:
        flight = self._fly(step.selector, None)
        if not isinstance(flight, asyncio.Task):
            return flight
        done, _ = await asyncio.wait((flight,), timeout=step.seconds)
        return flight.result() if done and not flight.cancelled() else LATE

    def _fly(self, selector: Selector, entry: Entry | None) -> asyncio.Task[Settled] | Settled:
        """Join the lookup that is under way in this loop, or start one; or give what there is instead."""
        key = selector if entry is None else entry.selector
        loop = self._loop()
        if loop.closed:
            return CLOSED
        flights = loop.flights
        if key in flights:
            return flights[key]
        held = self._core.entry(selector)
        if held is not None and held is not entry:
            return held
        failure = self._core.refusal()
        if failure is not None:
            return failure
        flight = asyncio.create_task(self._land(selector, entry))
        flights[key] = flight
        flight.add_done_callback(lambda _: flights.pop(key, None))
        return flight

    async def _land(self, selector: Selector, entry: Entry | None) -> Settled:
        """Look up, take in what comes, and keep it for a restart."""
        url, query = self._fittings.endpoint.lookup(selector)
        seconds = self._core.policy.deadline * SERVER_SHARE
        answer = await self._loop().connection.request("GET", url, seconds, params=query, etag=entry.etag if entry else None)
        outcome = answer if isinstance(answer, Failure) else read_lookup(answer, selector)
        settled = self._core.settle(selector, entry, outcome)
        disk = self._fittings.disk
        if disk is not None and isinstance(outcome, Received):
            await asyncio.to_thread(disk.write, selector, outcome)
        elif disk is not None and isinstance(outcome, Unchanged):
            await asyncio.to_thread(disk.confirm, selector)
        return settled

    def _loop(self) -> _Loop:
        running = asyncio.get_running_loop()
        with self._lock:
            loop = self._loops.get(running)
            if loop is None:
                loop = self._loops[running] = _Loop(AsyncConnection(self._fittings.endpoint, self._tls, self._transport))
            return loop
