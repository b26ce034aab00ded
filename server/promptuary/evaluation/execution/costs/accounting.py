"""The accounting of a run: its model client, and what calls leave to be written (cached responses, money)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import Unavailable
from promptuary.core.settings import RateLimit, Settings
from promptuary.evaluation.execution.costs import cost_store
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs.store import Run, get_run
from promptuary.evaluation.suites.suite import Suite
from promptuary.models.calls import ChatModelSource, ModelClient
from promptuary.models.calls import store as calls_store
from promptuary.models.calls.budget import CostBudget, Settlement
from promptuary.models.calls.client import PendingWrites
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.response_cache import ModelResponseCache

RESERVATION_POLL_SECONDS = 0.25
MAX_RESERVATION_POLLS = 240
log = structlog.get_logger(__name__)


@dataclass
class RunBudgetStore:
    """The reserved and spent money in the row of a run; implements `BudgetStore`.

    Attributes:
        database: contains the run.
        run: as it was when its lease was taken.
        limit: the cost limit of the run.
        shared: whether other processes work on the run.
    """

    database: Database
    run: Run
    limit: float
    shared: bool
    _polls: int = field(default=0, init=False)

    async def reserve(self, amount: float) -> bool:
        """Reserve an amount; return False if it does not fit under the cost limit, or the lease is lost."""
        return await asyncio.to_thread(self._reserve, amount)

    async def wait_for_others(self, settlement: Settlement) -> bool:
        """Write a settlement, and wait a moment while other processes have a reservation.

        The number of waits is limited, since a process that was killed keeps its reservation until the run ends.
        """
        if not await asyncio.to_thread(self._settle_and_check, settlement) or self._polls >= MAX_RESERVATION_POLLS:
            return False
        self._polls += 1
        await asyncio.sleep(RESERVATION_POLL_SECONDS)
        return True

    def _reserve(self, amount: float) -> bool:
        with self.database.write() as session:
            return cost_store.reserve_cost(session, self.run, amount, self.limit)

    def _settle_and_check(self, settlement: Settlement) -> bool:
        """Write a settlement, and return whether another process has a reservation."""
        if settlement:
            with self.database.write() as session:
                cost_store.settle_cost(session, self.run, settlement)
        with self.database.read() as session:
            run = get_run(session, self.run.id)
        return run is not None and run.fence == self.run.fence and run.reserved > cost_store.NEGLIGIBLE_COST


@dataclass(frozen=True)
class RunAccounting:
    """The accounting of one run, by the holder of its lease.

    Attributes:
        database: contains cached responses and runs.
        clock: returns the current time.
        settings: the rate limits of the process, and how long responses are cached.
        run: as it was when its lease was taken.
    """

    database: Database
    clock: Clock
    settings: Settings
    run: Run

    def client(self, models: ChatModelSource, suite: Suite, processes: int = 1) -> ModelClient:
        """Build the model client of the run, for one event loop.

        Args:
            models: the source of the models.
            suite: states prices and rate limits.
            processes: how many processes work on the run; they share the rate limits of the suite.
        """
        plan = self.run.plan
        if plan.max_cost is None:
            budget = CostBudget(None, self.run.spent)
        else:
            budget_store = RunBudgetStore(self.database, self.run, plan.max_cost, shared=processes > 1)
            budget = CostBudget(plan.max_cost, self.run.spent, budget_store)
        return ModelClient(
            models,
            concurrency=plan.concurrency,
            prices=PriceTable(suite.prices),
            limits=_shared_limits(suite, processes),
            process_limits=self.settings.rate_limits,
            cache=ModelResponseCache(self._read_responses, enabled=plan.cache),
            budget=budget,
            ends_on_setup_error=processes == 1,  # on a cluster, an error in another process is one of its items
        )

    @asynccontextmanager
    async def closing(self, client: ModelClient) -> AsyncIterator[None]:
        """Close the client when the block ends, in any way; write what it leaves, and delete expired responses."""
        try:
            yield
        finally:
            pending = await client.close()
            try:
                await asyncio.to_thread(self._close, pending)
            except Unavailable as error:  # what is reserved counts as spent, so only the exact amount is lost
                log.warning("costs not settled", run=self.run.id, error=str(error))

    def write_alone(self, pending: PendingWrites) -> None:
        """Write what calls leave, in a transaction of its own."""
        if pending:
            with self.database.write() as session:
                self.write(session, pending)

    def write(self, session: Session, pending: PendingWrites) -> None:
        """Write what calls leave, in the transaction of their results."""
        calls_store.write_responses(session, self.run.project, pending.responses, self.clock())
        cost_store.settle_cost(session, self.run, pending.settlement)

    def _close(self, pending: PendingWrites) -> None:
        with self.database.write() as session:
            self.write(session, pending)
            calls_store.delete_responses(session, self.run.project, self._cached_since())

    def _cached_since(self) -> datetime:
        return self.clock() - timedelta(days=self.settings.answer_days)

    def _read_responses(self, keys: list[str]) -> Mapping[str, JsonObject]:
        with self.database.read() as session:
            return calls_store.cached_responses(session, self.run.project, keys, self._cached_since())


@dataclass(frozen=True)
class AccountedRunner:
    """A runner in one of several processes on a run: it writes what its calls leave after every chunk of items.

    The results are written by the process that leads the run, under the same fence.
    """

    runner: Runner
    accounting: RunAccounting
    client: ModelClient

    async def run(self, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Run the items, and yield their results in batches as they come; fewer if the cost limit is reached."""
        try:
            async with aclosing(self.runner.run(items)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            await asyncio.to_thread(self.accounting.write_alone, self.client.take_pending_writes(unused=True))


def _shared_limits(suite: Suite, processes: int) -> dict[str, RateLimit]:
    """Return the rate limits of the suite by provider, for one of several processes."""
    return {
        provider: RateLimit(
            requests_per_minute=_share(limit.requests_per_minute, processes),
            tokens_per_minute=_share(limit.tokens_per_minute, processes),
        )
        for provider, limit in suite.limits.items()
    }


def _share(rate: int | None, processes: int) -> int | None:
    return None if rate is None else max(1, rate // processes)
