"""Every call of a model that a run makes, a candidate's or a judge's: remembered, paced, asked again, paid for."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptuary.base.errors import Fault, InvalidRequest
from promptuary.evaluation.calls.answers import Answers, form_of, key_of, messages_json
from promptuary.evaluation.calls.congestion import Congestion, Gate
from promptuary.evaluation.calls.failure import billed, overloaded, retry_after, transient
from promptuary.evaluation.calls.item import in_line, is_private
from promptuary.evaluation.calls.ledger import Ledger
from promptuary.evaluation.calls.pace import Limit, Paces, paces_of
from promptuary.evaluation.calls.price import Prices
from promptuary.evaluation.calls.reading import reply_of
from promptuary.evaluation.calls.request import Chats, Reply, Request
from promptuary.evaluation.calls.store import Due

ATTEMPTS, REFUSALS = 3, 8
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
CEILING_TOKENS = 1024
"""Of an answer, where a ceiling holds and the model's settings say nothing: without an end there is no worst case."""
_ECHO = "echo"
_BYTES_A_TOKEN = 3
_FRAME, _MESSAGE, _FORM = 64, 16, 1024


async def _nothing(amount: float) -> bool:
    return True


@dataclass(frozen=True)
class _Bound:
    """A model that is ready to be asked, and the bytes of what it is bound to."""

    chat: Any
    form_bytes: int


@dataclass(frozen=True)
class Calls:
    """Asks LangChain's models, for one run and in one event loop.

    Attributes:
        chats: gives the models.
        pause: waits between attempts, and for a rate.
        jitter: in [0, 1); spreads the waits.
        concurrency: the most calls of one provider at once.
        prices: what calls cost.
        limits: the suite's, by provider.
        shared_limits: those of the process, by provider.
        answers: those that are remembered; None remembers nothing.
        ledger: the run's money.
        clock: seconds, for latencies and pauses.
    """

    chats: Chats
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    concurrency: int = 1024
    prices: Prices = field(default_factory=Prices)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    shared_limits: Mapping[str, Limit] = field(default_factory=dict)
    answers: Answers | None = None
    ledger: Ledger = field(default_factory=lambda: Ledger(None, 0.0, _nothing))
    clock: Callable[[], float] = time.monotonic
    _gates: dict[str, Gate] = field(default_factory=dict, init=False)
    _paces: dict[str, Paces] = field(default_factory=dict, init=False)
    _bound: dict[str, asyncio.Future[_Bound]] = field(default_factory=dict, init=False)
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def ask(self, request: Request) -> Reply:
        """Give a remembered answer, or ask, and ask again after what may pass: a lost connection, an overloaded server.

        Raises:
            CeilingReached: when the worst case of the call does not fit under the run's ceiling any more.
            InvalidRequest: when there is a ceiling and the model's price is not known.
        """
        if self.ledger.ceiling is not None and not request.config.get("max_tokens") and not self.prices.free(request.model):
            request = replace(request, config={**request.config, "max_tokens": CEILING_TOKENS})
        form, said = form_of(request), messages_json(request.messages)
        if self.answers is None or request.provider == _ECHO or request.discreet or is_private():
            return await self._asked(request, form, said)
        key = key_of(form, said, request.repeat)
        with in_line():
            remembered = await self.answers.find(key)
        if remembered is not None:
            return remembered
        reply = await self._asked(request, form, said)
        self.answers.keep(key, request, reply)
        return reply

    def due(self) -> Due:
        """Give what is to be written with the next results; nobody else will write it."""
        return Due(self.answers.due() if self.answers else {}, self.ledger.due())

    def due_with_spare(self) -> Due:
        """Give what is to be written, and give back what is reserved and not under way, for other processes on the run."""
        return replace(self.due(), rest=self.ledger.spare())

    async def close(self) -> Due:
        """Cancel what is under way, close the connections of this event loop, and give what is left to be written."""
        stray = self._under_way - {asyncio.current_task()}
        for task in stray:
            task.cancel()
        await asyncio.gather(*stray, return_exceptions=True)
        due, rest = self.due(), self.ledger.rest()
        leave = getattr(self.chats, "leave", None)
        if leave is not None:
            await leave()
        return replace(due, rest=rest)

    async def _asked(self, request: Request, form: str, said: str) -> Reply:
        bound = await self._model(request, form)
        worst, tokens = self._worst(request, len(said.encode("utf-8", "replace")), bound.form_bytes)
        failures = refusals = 0
        while True:
            try:
                return await self._attempt(request, bound.chat, worst, tokens)
            except Exception as error:
                if not transient(error):
                    raise
                if overloaded(error):
                    refusals += 1
                else:
                    failures += 1
                if failures == ATTEMPTS or refusals == REFUSALS:
                    raise
                told = retry_after(error)
            wait = min(FIRST_WAIT * 2.0 ** (failures + refusals - 1), LONGEST_WAIT) * self.jitter()
            with in_line():
                await self.pause(wait if told is None else told + min(wait, FIRST_WAIT))

    async def _attempt(self, request: Request, chat: Any, worst: float, tokens: float) -> Reply:
        if request.provider == _ECHO:
            return await self._answer(request, chat)
        gate, paces = self._gate(request.provider), self._pace(request.provider)
        with in_line():
            await self._in_pace(paces, tokens)
            await gate.enter()
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            with in_line():
                await self.ledger.reserve(worst)
            started, load = self.clock(), gate.under_way
            try:
                reply = await self._answer(request, chat)
            except BaseException as error:
                self.ledger.settle(worst, worst if billed(error) else 0.0)
                if overloaded(error):
                    gate.congestion.refused(started, self.clock(), gate.under_way, retry_after(error))
                raise
            self.ledger.settle(worst, worst if reply.cost is None else reply.cost)
            gate.congestion.succeeded(request.model, started, self.clock(), max(load, gate.under_way))
            if reply.tokens is not None:
                paces.correct(0, sum(reply.tokens[kind] for kind in ("input", "output")) - tokens)
            return reply
        finally:
            self._under_way.discard(task)
            gate.leave()

    async def _answer(self, request: Request, chat: Any) -> Reply:
        started = time.perf_counter()
        answer = await chat.ainvoke([dict(message) for message in request.messages])
        elapsed = (time.perf_counter() - started) * 1000
        message, parsed = (answer["raw"], answer["parsed"]) if request.schema is not None else (answer, None)
        reply = reply_of(message, elapsed, parsed)
        cost = self.prices.cost(request.model, reply.tokens or {"input": 0, "output": 0})
        return replace(reply, cost=cost if reply.tokens is not None or cost == 0 else None)

    async def _in_pace(self, paces: Paces, tokens: float) -> None:
        wait = paces.book(tokens, self.clock())
        if wait > 0:
            try:
                await self.pause(wait)
            except BaseException:
                paces.correct(-1, -tokens)
                raise

    def _worst(self, request: Request, said_bytes: int, form_bytes: int) -> tuple[float, float]:
        """Give the most that a call can cost, and how many tokens a rate is asked for at first.

        A token is a byte at least; providers put a frame around the whole and each message, and words of their own to a form.
        """
        allowed = request.config.get("max_tokens") or CEILING_TOKENS
        expected = (said_bytes + form_bytes) / _BYTES_A_TOKEN + allowed
        if self.ledger.ceiling is None:
            return 0.0, expected
        most = said_bytes + form_bytes + _FRAME + _MESSAGE * len(request.messages) + (_FORM if form_bytes else 0)
        worst = self.prices.cost(request.model, {"input": most, "output": allowed})
        if worst is None:
            raise InvalidRequest("the model cannot be asked under a cost ceiling", [unpriced(request.model)])
        return worst, expected

    async def _model(self, request: Request, form: str) -> _Bound:
        """Give the model with what it is bound to; made once, whoever asks first."""
        if form not in self._bound:
            self._bound[form] = asyncio.ensure_future(asyncio.to_thread(self._made, request))
            self._bound[form].add_done_callback(lambda made: self._drop_failed(form, made))
        return await asyncio.shield(self._bound[form])

    def _made(self, request: Request) -> _Bound:
        chat = self.chats.chat(request.model, request.config)
        bound_to = [value for value in (request.tools, request.response_format, request.schema) if value]
        if request.tools:
            chat = chat.bind_tools(request.tools)
        if request.response_format:
            chat = chat.bind(response_format=request.response_format)
        if request.schema is not None:
            chat = chat.with_structured_output(dict(request.schema), include_raw=True)
        return _Bound(chat, len(str(bound_to).encode("utf-8", "replace")) if bound_to else 0)

    def _drop_failed(self, form: str, made: "asyncio.Future[_Bound]") -> None:
        if made.cancelled() or made.exception() is not None:
            self._bound.pop(form, None)

    def _gate(self, provider: str) -> Gate:
        if provider not in self._gates:
            self._gates[provider] = Gate(Congestion(self.concurrency), self.clock)
        return self._gates[provider]

    def _pace(self, provider: str) -> Paces:
        if provider not in self._paces:
            self._paces[provider] = paces_of(provider, self.limits, self.shared_limits)
        return self._paces[provider]


def unpriced(model: str) -> Fault:
    """Say that a model's price is not known, and what helps."""
    return Fault(
        "max_cost",
        f"the price of '{model}' is not known; say it in the suite: prices: {{\"{model}\": {{input: …, output: …}}}}",
    )
