"""The client for asyncio. Connections and requests under way belong to the event loop that began them."""

import asyncio
import threading
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

import httpx

from promptuary.client.connection import AsyncConnection
from promptuary.client.core import SERVER_SHARE, Ask, Fallback, Refresh, Settled, Steps
from promptuary.client.follower import AsyncFollower
from promptuary.client.memory import Entry, Question
from promptuary.client.prompt import Prompt
from promptuary.client.rendering import RENDER_DEADLINE, Rendering, read_rendering, rendering_body
from promptuary.client.selector import Selector
from promptuary.client.shell import BACKGROUND_LIMIT, Shell
from promptuary.client.wire import CLOSED, LATE, Failure, Received, Unchanged, read_lookup


class _Loop:
    """What belongs to one event loop: connections, and the lookups under way in it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.closed = False
        self.flights: dict[Selector, asyncio.Task[Settled]] = {}


class AsyncPromptuary(Shell[httpx.AsyncBaseTransport]):
    """The same as `Promptuary`, with `await`; see there for the arguments and errors. Safe to use from several loops.

    `on_lookup` is called in the loop, so it must not block. The stream of changes is read by a task of the loop that first
    had an answer; when that loop stops, one of the next takes over.
    """

    _follower: AsyncFollower | None = None
    _farewell: "weakref.finalize[[], Any] | None" = None

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
        loop, url = self._loop(), self._fittings.endpoint.rendering(name)
        answer = CLOSED if loop.closed else await loop.connection.request("POST", url, deadline, json=body)
        return read_rendering(name, answer)

    async def close(self) -> None:
        """Close for the running loop, after what is under way has ended or the deadline has passed. Memory still answers."""
        loop = self._loop()
        loop.closed = True
        follower = self._follower
        if follower is not None and follower.belongs_to(asyncio.get_running_loop()):
            follower.stop()
            await follower.ended()
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

    def _begin(self) -> None:
        if self._farewell is not None:
            self._farewell.detach()
        self._farewell = self._follower = None
        self._lock = threading.Lock()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

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
                        self._fly(step.question)
                elif self._fittings.disk is not None:
                    reply = await asyncio.to_thread(self._fittings.disk.read, step.selector)
        except StopIteration as end:
            prompt: Prompt = end.value
            return prompt

    async def _ask(self, step: Ask) -> Settled:
        flight = self._fly(step.question)
        if not isinstance(flight, asyncio.Task):
            return flight
        done, _ = await asyncio.wait((flight,), timeout=step.seconds)
        return flight.result() if done and not flight.cancelled() else LATE

    def _fly(self, question: Question) -> asyncio.Task[Settled] | Settled:
        """Join the lookup that is under way in this loop, or start one; or give what there is instead."""
        loop, key = self._loop(), question.about
        if loop.closed:
            return CLOSED
        flights = loop.flights
        if key in flights:
            return flights[key]
        held = self._core.entry(question.selector)
        if held is not None and held is not question.entry:
            return held
        failure = self._core.refusal()
        if failure is not None:
            return failure
        flight = flights[key] = asyncio.create_task(self._land(question))
        flight.add_done_callback(lambda flight: self._landed(flight, loop, question))
        return flight

    async def _land(self, question: Question) -> Settled:
        """Look up, take in what comes, and keep it for a restart."""
        loop = self._loop()
        url, query = self._fittings.endpoint.lookup(question.selector)
        seconds, etag = self._core.policy.deadline * SERVER_SHARE, question.entry.etag if question.entry else None
        answer = await loop.connection.request("GET", url, seconds, params=query, etag=etag)
        outcome = answer if isinstance(answer, Failure) else read_lookup(answer, question.selector)
        settled = self._core.settle(question, outcome)
        if isinstance(outcome, Received | Unchanged):
            self._follow(loop)
            if self._fittings.disk is not None:
                await asyncio.to_thread(self._fittings.disk.keep, question, outcome)
        return settled

    def _landed(self, flight: asyncio.Task[Settled], loop: _Loop, question: Question) -> None:
        """Make room for the next lookup of the same; it comes at once where an event overtook the answer."""
        loop.flights.pop(question.about, None)
        if not flight.cancelled() and flight.exception() is None and isinstance(flight.result(), Entry):
            again = self._core.again(question)
            if again is not None:
                flight.get_loop().call_later(again[0], self._fly, again[1])

    def _follow(self, loop: _Loop) -> None:
        """Have changes told, now that there is a server; in one loop at a time."""
        following = self._core.following
        if following is None or loop.closed or (self._follower is not None and self._follower.alive):
            return
        with self._lock:
            if self._follower is not None and self._follower.alive:
                return
            if self._farewell is not None:
                self._farewell()
            self._follower = AsyncFollower(self._core, following, loop.connection, weakref.WeakMethod(self._confirm))
            self._farewell = weakref.finalize(self, self._follower.stop)
            self._farewell.atexit = False

    async def _confirm(self, question: Question) -> None:
        """Ask again, and wait until that has ended."""
        flight = self._fly(question)
        if isinstance(flight, asyncio.Task):
            await asyncio.wait((flight,), timeout=self._core.policy.deadline)

    def _loop(self) -> _Loop:
        running = asyncio.get_running_loop()
        with self._lock:
            loop = self._loops.get(running)
            if loop is None:
                loop = self._loops[running] = _Loop(AsyncConnection(self._fittings.endpoint, self._tls, self._transport))
            return loop
