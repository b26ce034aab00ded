"""A run's calls and what they leave behind, on the tables: answers that are kept, and the run's money."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import Unavailable
from promptuary.core.settings import RateLimit, Settings
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.plan import CaseResult, WorkItem
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.runs.store import get_run as run_of
from promptuary.evaluation.suites.suite import Suite
from promptuary.models.calls import ChatModelSource, ModelClient
from promptuary.models.calls import store as calls_store
from promptuary.models.calls.budget import CostBudget
from promptuary.models.calls.pricing import PriceTable
from promptuary.models.calls.response_cache import ResponseCache
from promptuary.models.calls.store import PendingWrites

RESERVATION_POLL_SECONDS = 0.25
MAX_RESERVATION_POLLS = 240
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunAccounting:
    """The books of one run whose lease is held.

    Attributes:
        database: where answers and runs are.
        clock: gives the present moment.
        settings: the process's rate limits, and how long answers are kept.
        run: as it was when its lease was taken.
    """

    database: Database
    clock: Clock
    settings: Settings
    run: Run

    def calls(self, models: ChatModelSource, suite: Suite, processes: int = 1) -> ModelClient:
        """Make what asks models for this run, in one event loop; so many processes on the run share the suite's rates."""
        plan = self.run.plan
        limits = {
            provider: RateLimit(
                requests_per_minute=_share(limit.requests_per_minute, processes),
                tokens_per_minute=_share(limit.tokens_per_minute, processes),
            )
            for provider, limit in suite.limits.items()
        }
        waits = itertools.count()

        async def others() -> bool:
            """Give back what is spare, and wait a little while others hold something; one that has died holds it to the end."""
            if await asyncio.to_thread(self._alone, made.pending_writes_with_unused()) or next(waits) >= MAX_RESERVATION_POLLS:
                return False
            await asyncio.sleep(RESERVATION_POLL_SECONDS)
            return True

        made = ModelClient(
            models,
            concurrency=plan.concurrency,
            prices=PriceTable(suite.prices),
            limits=limits,
            process_limits=self.settings.rate_limits,
            answers=ResponseCache(self._found, reading=plan.cache),
            ledger=CostBudget(plan.max_cost, self.run.spent, self._reserved, others if processes > 1 else None),
        )
        return made

    @asynccontextmanager
    async def settled(self, calls: ModelClient) -> AsyncIterator[None]:
        """Close the calls when the block ends, whatever ends it, and write what they leave; old answers are deleted."""
        try:
            yield
        finally:
            due = await calls.close()
            try:
                await asyncio.to_thread(self._close, due)
            except Unavailable as error:  # what is reserved counts as spent, so nothing is lost but the exact figure
                log.warning("calls not settled", run=self.run.id, error=str(error))

    def keep(self, due: PendingWrites) -> None:
        """Write what calls leave, by itself."""
        if due:
            with self.database.write() as session:
                self.write(session, due)

    def write(self, session: Session, due: PendingWrites) -> None:
        """Write what calls leave, in the transaction of the results."""
        if due:
            calls_store.write(session, self.run.project, self.run.id, self.run.fence, due, self.clock())

    def _alone(self, due: PendingWrites) -> bool:
        """Write what is due, and tell whether nobody else on the run holds anything reserved."""
        self.keep(due)
        with self.database.read() as session:
            found = run_of(session, self.run.id)
        return found is None or found.fence != self.run.fence or found.reserved <= 1e-9

    def _close(self, due: PendingWrites) -> None:
        with self.database.write() as session:
            self.write(session, due)
            calls_store.delete_responses(session, self.run.project, self._oldest())

    def _oldest(self) -> Any:
        return self.clock() - timedelta(days=self.settings.answer_days)

    def _found(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        with self.database.read() as session:
            return calls_store.cached_responses(session, self.run.project, keys, self._oldest())

    async def _reserved(self, amount: float) -> bool:
        return await asyncio.to_thread(self._reserve, amount)

    def _reserve(self, amount: float) -> bool:
        assert self.run.plan.max_cost is not None
        with self.database.write() as session:
            return calls_store.reserve(session, self.run.id, self.run.fence, amount, self.run.plan.max_cost)


@dataclass(frozen=True)
class AccountedRunner:
    """A runner in one of several processes on a run: it writes what its calls leave with every chunk of items.

    Results are written by the run's leader, under the same fence.
    """

    runner: Runner
    books: RunAccounting
    calls: ModelClient

    async def run(self, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Do the items, and give their results in batches as they come; fewer where the run's ceiling is reached."""
        try:
            async with aclosing(self.runner.run(items)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            await asyncio.to_thread(self.books.keep, self.calls.pending_writes_with_unused())


def _share(rate: int | None, processes: int) -> int | None:
    return None if rate is None else max(1, rate // processes)
