"""The client for all model calls of a run: cached, limited, priced and within the budget. Failed calls are retried here."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from promptuary.core.errors import InvalidRequest
from promptuary.models.calls.bound_models import BoundModels
from promptuary.models.calls.budget import CostBudget, Settlement
from promptuary.models.calls.concurrency import AdaptiveConcurrency, ConcurrencyLimiter
from promptuary.models.calls.messages import count_images, langchain_input
from promptuary.models.calls.pricing import CallEstimate, CallSize, PriceTable, default_max_tokens
from promptuary.models.calls.rate_limit import ProviderLimits, ProviderRateLimiters, provider_rate_limiters
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.request import ChatModelSource, ModelReply, ModelRequest
from promptuary.models.calls.response_cache import ModelResponseCache
from promptuary.models.calls.retries import Retries, is_overloaded, may_be_billed, retry_after
from promptuary.models.calls.scope import calls_are_sensitive, time_limit_paused
from promptuary.models.calls.setup.checks import SetupChecks
from promptuary.models.calls.setup.errors import ModelNotSetUp, SetupFailed

_ECHO = "echo"
PROBE_MESSAGES = ({"role": "user", "content": "Answer with OK."},)


@dataclass(frozen=True)
class PendingWrites:
    """What calls leave to be written with the next results.

    Attributes:
        responses: bodies for the response cache, by key.
        settlement: money that leaves the reservation.
    """

    responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settlement: Settlement = field(default_factory=Settlement)

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.responses or self.settlement)


@dataclass(frozen=True)
class ModelClient:
    """Calls LangChain's models, for one run and in one event loop.

    Attributes:
        models: the source of the models.
        pause: waits between attempts, and for a rate limit.
        jitter: returns a number in [0, 1) that spreads the waits.
        concurrency: the highest number of calls in flight for one provider.
        prices: the prices of calls.
        limits: the rate limits of the suite, by provider.
        process_limits: the rate limits that all runs of the process share, by provider.
        cache: the response cache; None for no cache.
        budget: the budget of the run.
        clock: seconds, for latencies and pauses.
        ends_on_setup_error: whether an error that every call of a model would have raises `SetupFailed`.
    """

    models: ChatModelSource
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    concurrency: int = 1024
    prices: PriceTable = field(default_factory=PriceTable)
    limits: Mapping[str, ProviderLimits] = field(default_factory=dict)
    process_limits: Mapping[str, ProviderLimits] = field(default_factory=dict)
    cache: ModelResponseCache | None = None
    budget: CostBudget = field(default_factory=CostBudget)
    clock: Callable[[], float] = time.monotonic
    ends_on_setup_error: bool = False
    _limiters: dict[str, ConcurrencyLimiter] = field(default_factory=dict, init=False)
    _rates: dict[str, ProviderRateLimiters] = field(default_factory=dict, init=False)
    _attempts: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def ask(self, request: ModelRequest) -> ModelReply:
        """Return a cached reply, or call the model, again after an error that may pass.

        Raises:
            SetupFailed: if no call of the model can succeed, and this client ends on such errors.
            CostLimitReached: if the highest possible cost of the call does not fit under the cost limit.
            InvalidRequest: if there is a cost limit and the price of the model is not known.
        """
        request = self._bounded(request)
        if self.cache is None or request.provider == _ECHO or request.sensitive or calls_are_sensitive():
            return await self._call_with_retries(request)
        key = request.cache_key
        cached = await self.cache.get(key)
        if cached is not None:
            return cached if cached.cost is not None else replace(cached, cost=self._cost(request.model, cached.tokens))
        reply = await self._call_with_retries(request)
        self.cache.put(key, request, reply)
        return reply

    async def look_up(self, requests: Iterable[ModelRequest]) -> None:
        """Look up the cached replies of requests that `ask` will be called with soon, all at once."""
        if self.cache is not None:
            bounded = (self._bounded(request) for request in requests)
            await self.cache.look_up(request.cache_key for request in bounded if request.provider != _ECHO)

    def take_pending_writes(self, *, unused: bool = False) -> PendingWrites:
        """Return what to write with the next results; the caller must write it.

        Args:
            unused: whether to release reserved money that no call in flight needs, for other processes on the run.
        """
        responses = self.cache.take_new() if self.cache else {}
        return PendingWrites(responses, self.budget.take_settlement(unused=unused))

    async def close(self) -> PendingWrites:
        """Cancel all calls, refuse new ones, close the event loop's connections and return what must still be written."""
        self.budget.close()  # first: a slot that a cancelled call frees must not start the next one
        attempts = self._attempts - {asyncio.current_task()}
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        pending = self.take_pending_writes(unused=True)
        close_connections = getattr(self.models, "close_connections", None)
        if close_connections is not None:
            await close_connections()
        return pending

    def _bounded(self, request: ModelRequest) -> ModelRequest:
        """Return a request with a limit of its reply's length where there is a cost limit."""
        if self.budget.limit is None or request.config.get("max_tokens") or self.prices.is_free(request.model):
            return request
        return replace(request, config={**request.config, "max_tokens": default_max_tokens(request.config)})

    async def _call_with_retries(self, request: ModelRequest) -> ModelReply:
        binding = request.binding_json
        try:
            model = await self._bound_models.get(request, binding)
        except (InvalidRequest, ModelNotSetUp) as error:
            if self.ends_on_setup_error:
                raise SetupFailed(str(error)) from error
            raise
        images = count_images(request.messages)
        size = CallSize(len(request.messages_json.encode("utf-8", "replace")) - images.size, model.binding_bytes, images.number)
        estimate = self.prices.estimate(request, size, limited=self.budget.limit is not None)
        retries = Retries()
        while True:
            try:
                reply = await self._attempt(request, model.chat, estimate)
                self._setups.works(binding)
                return reply
            except Exception as error:
                if self.ends_on_setup_error:
                    await self._setups.check(binding, request, error, lambda: self._probe(request, model.chat, estimate))
                wait = retries.next_wait(error, self.jitter)
                if wait is None:
                    raise
            with time_limit_paused():
                await self.pause(wait)

    async def _attempt(self, request: ModelRequest, chat: Any, estimate: CallEstimate) -> ModelReply:
        if request.provider == _ECHO:
            return await self._send(request, chat)
        limiter, rates = self._limiter(request.server), self._rate_limiters(request.server)
        task = asyncio.current_task()
        assert task is not None
        self._attempts.add(task)
        try:
            with time_limit_paused():
                await self._wait_for_capacity(limiter, rates, estimate)
            try:
                return await self._send_accounted(request, chat, estimate)
            finally:
                limiter.release()
        finally:
            self._attempts.discard(task)

    async def _wait_for_capacity(
        self, limiter: ConcurrencyLimiter, rates: ProviderRateLimiters, estimate: CallEstimate
    ) -> None:
        """Wait for the rate limit, then for a slot and the budget; release what was reserved if the wait is cancelled."""
        wait = rates.reserve(estimate.tokens, self.clock())
        try:
            if wait > 0:
                await self.pause(wait)
            await self._acquire_slot(limiter, estimate)
        except BaseException:
            rates.correct(-1, -estimate.tokens)
            raise

    async def _acquire_slot(self, limiter: ConcurrencyLimiter, estimate: CallEstimate) -> None:
        """Acquire a slot of the provider and reserve the cost of the call.

        The reservation may wait. If a refusal has closed the limiter meanwhile, the slot is stale: both start again.
        """
        while True:
            await limiter.acquire()
            try:
                await self.budget.reserve(estimate.cost)
            except BaseException:
                limiter.release()
                raise
            if limiter.is_open:
                return
            self.budget.release(estimate.cost)
            limiter.release()

    async def _send_accounted(self, request: ModelRequest, chat: Any, estimate: CallEstimate) -> ModelReply:
        """Send the request once, and report its outcome to the budget and the limiters."""
        limiter, rates = self._limiter(request.server), self._rate_limiters(request.server)
        started, load = self.clock(), limiter.in_flight
        try:
            reply = await self._send(request, chat)
        except BaseException as error:
            self.budget.commit(estimate.cost, estimate.cost if may_be_billed(error) else 0.0)
            if is_overloaded(error):
                limiter.rule.refused(started, self.clock(), limiter.in_flight, retry_after(error))
            raise
        self.budget.commit(estimate.cost, estimate.cost if reply.cost is None else reply.cost)
        limiter.rule.succeeded(request.model, started, self.clock(), max(load, limiter.in_flight))
        if reply.tokens is not None:
            rates.correct(0, reply.tokens["input"] + reply.tokens["output"] - estimate.tokens)
        return reply

    async def _send(self, request: ModelRequest, chat: Any) -> ModelReply:
        started = self.clock()
        response = await chat.ainvoke(langchain_input(request.messages))
        elapsed = (self.clock() - started) * 1000
        message, parsed = (response["raw"], response["parsed"]) if request.schema is not None else (response, None)
        return parse_reply(message, elapsed, parsed, lambda tokens: self._cost(request.model, tokens))

    def _cost(self, model: str, tokens: Mapping[str, int] | None) -> float | None:
        """Return the cost of a reply by its tokens; None if its price or its tokens are not known."""
        cost = self.prices.cost(model, tokens or {"input": 0, "output": 0})
        return cost if tokens is not None or cost == 0 else None

    async def _probe(self, request: ModelRequest, chat: Any, estimate: CallEstimate) -> None:
        """Call the model with a message that any model answers, to see whether an error is the case's or the set-up's."""
        await self._attempt(replace(request, messages=PROBE_MESSAGES), chat, estimate)

    @cached_property
    def _setups(self) -> SetupChecks:
        return SetupChecks()

    @cached_property
    def _bound_models(self) -> BoundModels:
        return BoundModels(self.models)

    def _limiter(self, server: str) -> ConcurrencyLimiter:
        if server not in self._limiters:
            self._limiters[server] = ConcurrencyLimiter(AdaptiveConcurrency(self.concurrency), self.clock)
        return self._limiters[server]

    def _rate_limiters(self, server: str) -> ProviderRateLimiters:
        """Return the limiters of a provider; those of an address of its own are none."""
        if server not in self._rates:
            self._rates[server] = provider_rate_limiters(server, self.limits, self.process_limits)
        return self._rates[server]
