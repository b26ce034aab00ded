"""Every call of a model that a run makes, a candidate's or a judge's: remembered, paced, asked again, paid for."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.models.calls.budget import CostBudget
from promptuary.models.calls.concurrency import AdaptiveConcurrency, ConcurrencyLimiter
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.rate_limit import ProviderLimits, ProviderRateLimiters, provider_rate_limiters
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.request import ChatModelSource, ModelReply, ModelRequest
from promptuary.models.calls.response_cache import ResponseCache, cache_key, messages_json, model_binding_json
from promptuary.models.calls.retries import is_overloaded, is_transient, may_be_billed, retry_after
from promptuary.models.calls.scope import calls_are_sensitive, time_limit_paused
from promptuary.models.calls.store import PendingWrites

MAX_ATTEMPTS, MAX_REFUSALS = 3, 8
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
DEFAULT_MAX_TOKENS = 1024
"""Of an answer, where a ceiling holds and the model's settings say nothing: without an end there is no worst case."""
_ECHO = "echo"
_BYTES_A_TOKEN = 3
_FRAME, _MESSAGE, _FORM = 64, 16, 1024


async def _nothing(amount: float) -> bool:
    return True


@dataclass(frozen=True)
class _BoundModel:
    """A model that is ready to be asked, and the bytes of what it is bound to."""

    chat: Any
    form_bytes: int


@dataclass(frozen=True)
class ModelClient:
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

    chats: ChatModelSource
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    concurrency: int = 1024
    prices: PriceTable = field(default_factory=PriceTable)
    limits: Mapping[str, ProviderLimits] = field(default_factory=dict)
    process_limits: Mapping[str, ProviderLimits] = field(default_factory=dict)
    answers: ResponseCache | None = None
    ledger: CostBudget = field(default_factory=lambda: CostBudget(None, 0.0, _nothing))
    clock: Callable[[], float] = time.monotonic
    _gates: dict[str, ConcurrencyLimiter] = field(default_factory=dict, init=False)
    _paces: dict[str, ProviderRateLimiters] = field(default_factory=dict, init=False)
    _bound: dict[str, asyncio.Future[_BoundModel]] = field(default_factory=dict, init=False)
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def ask(self, request: ModelRequest) -> ModelReply:
        """Give a remembered answer, or ask, and ask again after what may pass: a lost connection, an overloaded server.

        Raises:
            CeilingReached: when the worst case of the call does not fit under the run's ceiling any more.
            InvalidRequest: when there is a ceiling and the model's price is not known.
        """
        if self.ledger.ceiling is not None and not request.config.get("max_tokens") and not self.prices.free(request.model):
            request = replace(request, config={**request.config, "max_tokens": DEFAULT_MAX_TOKENS})
        form, said = model_binding_json(request), messages_json(request.messages)
        if self.answers is None or request.provider == _ECHO or request.discreet or calls_are_sensitive():
            return await self._asked(request, form, said)
        key = cache_key(form, said, request.repeat)
        with time_limit_paused():
            remembered = await self.answers.find(key)
        if remembered is not None:
            return remembered
        reply = await self._asked(request, form, said)
        self.answers.keep(key, request, reply)
        return reply

    def due(self) -> PendingWrites:
        """Give what is to be written with the next results; nobody else will write it."""
        return PendingWrites(self.answers.due() if self.answers else {}, self.ledger.due())

    def pending_writes_with_unused(self) -> PendingWrites:
        """Give what is to be written, and give back what is reserved and not under way, for other processes on the run."""
        return replace(self.due(), rest=self.ledger.spare())

    async def close(self) -> PendingWrites:
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

    async def _asked(self, request: ModelRequest, form: str, said: str) -> ModelReply:
        bound = await self._model(request, form)
        worst, tokens = self._worst(request, len(said.encode("utf-8", "replace")), bound.form_bytes)
        failures = refusals = 0
        while True:
            try:
                return await self._attempt(request, bound.chat, worst, tokens)
            except Exception as error:
                if not is_transient(error):
                    raise
                if is_overloaded(error):
                    refusals += 1
                else:
                    failures += 1
                if failures == MAX_ATTEMPTS or refusals == MAX_REFUSALS:
                    raise
                told = retry_after(error)
            wait = min(FIRST_WAIT * 2.0 ** (failures + refusals - 1), LONGEST_WAIT) * self.jitter()
            with time_limit_paused():
                await self.pause(wait if told is None else told + min(wait, FIRST_WAIT))

    async def _attempt(self, request: ModelRequest, chat: Any, worst: float, tokens: float) -> ModelReply:
        if request.provider == _ECHO:
            return await self._answer(request, chat)
        gate, paces = self._gate(request.provider), self._pace(request.provider)
        with time_limit_paused():
            await self._in_pace(paces, tokens)
            await gate.enter()
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            with time_limit_paused():
                await self.ledger.reserve(worst)
            started, load = self.clock(), gate.under_way
            try:
                reply = await self._answer(request, chat)
            except BaseException as error:
                self.ledger.settle(worst, worst if may_be_billed(error) else 0.0)
                if is_overloaded(error):
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

    async def _answer(self, request: ModelRequest, chat: Any) -> ModelReply:
        started = time.perf_counter()
        answer = await chat.ainvoke([dict(message) for message in request.messages])
        elapsed = (time.perf_counter() - started) * 1000
        message, parsed = (answer["raw"], answer["parsed"]) if request.schema is not None else (answer, None)
        reply = parse_reply(message, elapsed, parsed)
        cost = self.prices.cost(request.model, reply.tokens or {"input": 0, "output": 0})
        return replace(reply, cost=cost if reply.tokens is not None or cost == 0 else None)

    async def _in_pace(self, paces: ProviderRateLimiters, tokens: float) -> None:
        wait = paces.book(tokens, self.clock())
        if wait > 0:
            try:
                await self.pause(wait)
            except BaseException:
                paces.correct(-1, -tokens)
                raise

    def _worst(self, request: ModelRequest, said_bytes: int, form_bytes: int) -> tuple[float, float]:
        """Give the most that a call can cost, and how many tokens a rate is asked for at first.

        A token is a byte at least; providers put a frame around the whole and each message, and words of their own to a form.
        """
        allowed = request.config.get("max_tokens") or DEFAULT_MAX_TOKENS
        expected = (said_bytes + form_bytes) / _BYTES_A_TOKEN + allowed
        if self.ledger.ceiling is None:
            return 0.0, expected
        most = said_bytes + form_bytes + _FRAME + _MESSAGE * len(request.messages) + (_FORM if form_bytes else 0)
        worst = self.prices.cost(request.model, {"input": most, "output": allowed})
        if worst is None:
            raise InvalidRequest("the model cannot be asked under a cost ceiling", [missing_price_error(request.model)])
        return worst, expected

    async def _model(self, request: ModelRequest, form: str) -> _BoundModel:
        """Give the model with what it is bound to; made once, whoever asks first."""
        if form not in self._bound:
            self._bound[form] = asyncio.ensure_future(asyncio.to_thread(self._made, request))
            self._bound[form].add_done_callback(lambda made: self._drop_failed(form, made))
        return await asyncio.shield(self._bound[form])

    def _made(self, request: ModelRequest) -> _BoundModel:
        chat = self.chats.chat(request.model, request.config)
        bound_to = [value for value in (request.tools, request.response_format, request.schema) if value]
        if request.tools:
            chat = chat.bind_tools(request.tools)
        if request.response_format:
            chat = chat.bind(response_format=request.response_format)
        if request.schema is not None:
            chat = chat.with_structured_output(dict(request.schema), include_raw=True)
        return _BoundModel(chat, len(str(bound_to).encode("utf-8", "replace")) if bound_to else 0)

    def _drop_failed(self, form: str, made: "asyncio.Future[_BoundModel]") -> None:
        if made.cancelled() or made.exception() is not None:
            self._bound.pop(form, None)

    def _gate(self, provider: str) -> ConcurrencyLimiter:
        if provider not in self._gates:
            self._gates[provider] = ConcurrencyLimiter(AdaptiveConcurrency(self.concurrency), self.clock)
        return self._gates[provider]

    def _pace(self, provider: str) -> ProviderRateLimiters:
        if provider not in self._paces:
            self._paces[provider] = provider_rate_limiters(provider, self.limits, self.process_limits)
        return self._paces[provider]


def missing_price_error(model: str) -> FieldError:
    """Say that a model's price is not known, and what helps."""
    return FieldError(
        "max_cost",
        f"the price of '{model}' is not known; say it in the suite: prices: {{\"{model}\": {{input: …, output: …}}}}",
    )
