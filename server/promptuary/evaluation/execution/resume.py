"""Where a run is resumed: every execution begins with what earlier executions of the run have left in the database.

A run is executed more than once if its process was interrupted or killed, if its lease was lost, or if `RunService.resume`
put a stopped run back into the queue. For a new run nothing is there yet. What the previous worker reserved and did not commit
counts as spent, from the moment when the next worker takes the lease (`runs.store.lease_run`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from promptuary.core.database import Database
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.execution.work import CompletedItems, RemainingWork, WorkItem
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.early_stop import EarlyStopMonitor


@dataclass(frozen=True)
class ExecutionStart:
    """The state of a run at the beginning of an execution.

    Attributes:
        completed: how many results there are.
        errors: how many of them are errors.
        monitor: decides whether the run stops early, with the results that there are; None if it may not.
        items: the work that remains.
    """

    completed: int
    errors: int
    monitor: EarlyStopMonitor | None
    items: Iterator[WorkItem]


def start_or_resume_run(database: Database, run: Run, suite: Suite) -> ExecutionStart:
    """Read what earlier executions have left, nothing for a new run, and find the work that remains."""
    with database.read() as session:
        completed = CompletedItems(run.total, store.completed_ordinals(session, run.id))
        errors = store.count_errors(session, run.id)
    work = RemainingWork(database, run.plan, completed)
    if not suite.early_stop:
        return ExecutionStart(len(completed), errors, None, work.in_file_order())
    monitor = _build_monitor(database, run, suite)
    items = iter(()) if monitor.is_decided else work.in_case_order(monitor.order)
    return ExecutionStart(len(completed), errors, monitor, items)


def _build_monitor(database: Database, run: Run, suite: Suite) -> EarlyStopMonitor:
    """Build the monitor of a run that may stop early, with the results that there are."""
    with database.read() as session:
        clusters = dataset_store.list_memberships(session, run.plan.dataset.id)
        monitor = EarlyStopMonitor(run.plan, suite, clusters, CaseOrder.of(clusters, run.id))
        monitor.add(list(store.iterate_figures(session, run.id)))
    monitor.analyse_if_due()
    return monitor
