"""The loop of an execution: it writes results as they come, reports progress, and decides when the execution ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from promptuary.evaluation.execution.costs.accounting import RunAccounting
from promptuary.evaluation.execution.lease import LeaseLost, RunLeases
from promptuary.evaluation.execution.resume import ExecutionStart
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.models.calls import ModelClient
from promptuary.models.calls.client import PendingWrites


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: how many results there are.
        total: how many results there will be.
        failed: how many results are errors.
        spent: US dollars.
    """

    done: int
    total: int
    failed: int
    spent: float = 0.0


class Interrupted(Exception):
    """The process must stop; the execution ends, and the lease is released when all calls are settled."""


@dataclass(frozen=True)
class ExecutionSignals:
    """What may end an execution, and who is notified of its progress.

    Attributes:
        on_progress: is called after every batch, in the thread of the execution.
        stop: is set when the process must stop.
        lost: is set when the lease is lost.
        grace: seconds that items in flight have to end, after `stop` is set; their results are kept, and no item is started.
    """

    on_progress: Callable[[Progress], None]
    stop: threading.Event
    lost: threading.Event
    grace: float = 0.0

    def until_stopped(self, items: Iterator[WorkItem]) -> Iterator[WorkItem]:
        """Yield the items until none may be started."""
        for item in items:
            if self.is_stopping():
                return
            yield item

    def is_stopping(self) -> bool:
        """Return whether no item may be started; without a grace, the execution ends at once instead."""
        return self.grace > 0 and self.stop.is_set()


class ResultLoop:
    """Writes the results of one execution.

    Attributes:
        done: how many results the run has.
    """

    def __init__(self, accounting: RunAccounting, client: ModelClient, leases: RunLeases, start: ExecutionStart) -> None:
        """Begin with the results of earlier executions.

        Args:
            accounting: writes what the calls of the results leave.
            client: makes those calls.
            leases: extends the lease with every batch.
            start: the state of the run at the beginning.
        """
        self._accounting, self._client, self._leases = accounting, client, leases
        self._monitor = start.monitor
        self._failed = start.errors
        self.done = start.completed

    @property
    def _run(self) -> Run:
        return self._accounting.run

    @property
    def is_decided(self) -> bool:
        """Whether the gate of a run that may stop early is decided."""
        return self._monitor is not None and self._monitor.is_decided

    def progress(self) -> Progress:
        """Return the progress of now."""
        return Progress(self.done, self._run.total, self._failed, self._client.budget.spent)

    async def consume(self, batches: AsyncIterator[list[CaseResult]], signals: ExecutionSignals) -> None:
        """Write batches until they end or the gate is decided.

        What calls leave is written with them, and also where no result has come for a while: a conversation of many turns is
        then resumed from its stored answers.

        Raises:
            LeaseLost: if another worker has the lease.
            Interrupted: if the process must stop.
        """
        deadline: float | None = None
        async for batch in batches:
            pending = self._client.take_pending_writes()
            if batch or pending:
                await self._add(batch, pending)
            if batch:
                signals.on_progress(self.progress())
            if self.is_decided:
                return
            if signals.lost.is_set():
                raise LeaseLost
            if signals.stop.is_set() and self.done < self._run.total:
                now = asyncio.get_running_loop().time()
                deadline = now + signals.grace if deadline is None else deadline
                if now >= deadline:
                    raise Interrupted
        if signals.stop.is_set() and self.done < self._run.total:
            raise Interrupted

    async def _add(self, batch: list[CaseResult], pending: PendingWrites) -> None:
        await asyncio.to_thread(self._write, batch, pending)
        self.done += len(batch)
        self._failed += sum(result.error is not None for result in batch)
        if self._monitor is not None:
            self._monitor.add(batch)
            self._monitor.analyse_if_due()

    def _write(self, batch: list[CaseResult], pending: PendingWrites) -> None:
        with self._accounting.database.write() as session:
            if not store.add_results(session, self._run, batch, self._leases.expiry()):
                raise LeaseLost
            self._accounting.write(session, pending)
