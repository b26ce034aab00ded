"""A run's calls and what they leave behind, on the tables: answers that are kept, and the run's money."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from promptuary.base.clock import Clock
from promptuary.base.database import Database, Session
from promptuary.base.errors import Unavailable
from promptuary.base.settings import Settings
from promptuary.evaluation.calls import Calls, Chats
from promptuary.evaluation.calls import store as calls_store
from promptuary.evaluation.calls.answers import Answers
from promptuary.evaluation.calls.ledger import Ledger
from promptuary.evaluation.calls.price import Prices
from promptuary.evaluation.calls.store import Due
from promptuary.evaluation.store import Run
from promptuary.evaluation.suite import Suite

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Books:
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

    def calls(self, models: Chats, suite: Suite) -> Calls:
        """Make what asks models for this run, in the event loop that runs; for one process, or one of several on the run."""
        plan = self.run.plan
        return Calls(
            models,
            concurrency=plan.concurrency,
            prices=Prices(suite.prices),
            limits=suite.limits,
            shared_limits=self.settings.rate_limits,
            answers=Answers(self._found, reading=plan.cache),
            ledger=Ledger(plan.max_cost, self.run.spent, self._reserved),
        )

    @asynccontextmanager
    async def settled(self, calls: Calls) -> AsyncIterator[None]:
        """Close the calls when the block ends, whatever ends it, and write what they leave; old answers are deleted."""
        try:
            yield
        finally:
            due = await calls.close()
            try:
                await asyncio.to_thread(self._close, due)
            except Unavailable as error:  # what is reserved counts as spent, so nothing is lost but the exact figure
                log.warning("calls not settled", run=self.run.id, error=str(error))

    def write(self, session: Session, due: Due) -> None:
        """Write what calls leave, in the transaction of the results."""
        if due:
            calls_store.write(session, self.run.project, self.run.id, self.run.fence, due, self.clock())

    def _close(self, due: Due) -> None:
        with self.database.write() as session:
            self.write(session, due)
            calls_store.forget(session, self.run.project, self._oldest())

    def _oldest(self) -> Any:
        return self.clock() - timedelta(days=self.settings.answer_days)

    def _found(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        with self.database.read() as session:
            return calls_store.answers(session, self.run.project, keys, self._oldest())

    async def _reserved(self, amount: float) -> bool:
        return await asyncio.to_thread(self._reserve, amount)

    def _reserve(self, amount: float) -> bool:
        assert self.run.plan.max_cost is not None
        with self.database.write() as session:
            return calls_store.reserve(session, self.run.id, self.run.fence, amount, self.run.plan.max_cost)
