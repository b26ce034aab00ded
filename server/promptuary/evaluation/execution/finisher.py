"""The end of a run: its summary and verdict, its evidence, the audit entry and the message to MLflow, in one transaction.

Everything is read and computed before that transaction, so that nobody waits for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.builder import build_evidence
from promptuary.evaluation.execution.costs.cost_limit import cost_limit_message, with_missing
from promptuary.evaluation.execution.finished_run import FinishedRun, FinishedRunListener
from promptuary.evaluation.execution.lease import ACTOR, LeaseLost
from promptuary.evaluation.judges.labels import HumanLabels
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.context_digests import collection_digests
from promptuary.evaluation.runs.store import Run, RunOutcome, RunState
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC
from promptuary.evaluation.verdict.case_order import CaseOrder

_ERROR_LIMIT = 1000


def with_stated_versions(summary: Summary, plan: Plan, read: Callable[[str], Sequence[str]]) -> Summary:
    """Return the summary with the versions that answers of applications stated.

    Args:
        summary: of the run.
        plan: of the run.
        read: returns the versions that the answers of a variant stated.
    """
    if not plan.targets:
        return summary
    variants = [
        variant if variant.target_versions else variant.model_copy(update={"target_versions": tuple(read(variant.name))})
        for variant in summary.variants
    ]
    return summary.model_copy(update={"variants": tuple(variants)})


@dataclass(frozen=True)
class RunFinisher:
    """Ends runs.

    Attributes:
        database: contains the runs.
        clock: returns the current time.
        listeners: are notified of runs that finish.
        human_labels: reads what people decided on results; None where there are no reviews.
    """

    database: Database
    clock: Clock
    listeners: Sequence[FinishedRunListener] = ()
    human_labels: HumanLabels | None = None

    def summarise(self, run: Run, suite: Suite, scorers: Sequence[str], order: CaseOrder | None) -> Summary:
        """Compute the summary of a run from its results.

        Args:
            run: whose results are all written.
            suite: of the run.
            scorers: the names of its scorers.
            order: of a run that may stop early, as far as its cases are complete.
        """
        from promptuary.evaluation.verdict.summary import SummaryContext, summarise  # loads numpy

        with self.database.read() as session:
            clusters = dataset_store.list_clusters(session, run.plan.dataset.id)
            weights = dataset_store.list_weights(session, run.plan.dataset.id)
            figures = store.iterate_figures(session, run.id)
            labels = self.human_labels.read(session, run.project, run.id, run.plan) if self.human_labels else {}
            summary = summarise(run.plan, suite, clusters, figures, scorers, SummaryContext(order, labels, weights))
            return with_stated_versions(summary, run.plan, lambda variant: store.stated_versions(session, run.id, variant))

    def finish(self, run: Run, summary: Summary, order: CaseOrder | None) -> None:
        """End a run whose results are complete, or whose gate is decided.

        Raises:
            LeaseLost: if another worker has the lease.
        """
        with self.database.read() as session:
            finished = self._finished_run(session, run, summary, order)
            writes = [listener.prepare(session, finished) for listener in self.listeners]
        with self.database.write() as session:
            if not store.finish_run(session, run, RunOutcome(RunState.FINISHED, summary), finished.at):
                raise LeaseLost
            self._record_end(session, finished)
            evidence_store.add_evidence(session, finished.evidence)
            for write in writes:
                write(session)

    def stop(self, run: Run, suite: Suite, summary: Summary) -> None:
        """End a run that has reached its cost limit; it may be resumed, and is copied to MLflow when it finishes.

        Raises:
            LeaseLost: if another worker has the lease.
        """
        summary = with_missing(summary, run.plan, suite)
        reason, now = cost_limit_message(run.plan, summary.missing or 0), self.clock()
        with self.database.write() as session:
            if not store.finish_run(session, run, RunOutcome(RunState.STOPPED, summary, reason), now):
                raise LeaseLost
            detail = {"error": reason, "verdict": summary.verdict}
            audit.append_entry(session, run.project, audit.Change(ACTOR, "run.stopped", run.id, detail, now))

    def fail(self, run: Run, reason: str) -> None:
        """End a run that cannot be executed, with the reason; do nothing if another worker has the lease."""
        reason = reason[:_ERROR_LIMIT]
        with self.database.write() as session:
            if store.finish_run(session, run, RunOutcome(RunState.FAILED, error=reason), self.clock()):
                change = audit.Change(ACTOR, "run.failed", run.id, {"error": reason}, self.clock())
                audit.append_entry(session, run.project, change)

    def _finished_run(self, session: Session, run: Run, summary: Summary, order: CaseOrder | None) -> FinishedRun:
        now = self.clock()
        collections = [variant.collection for variant in run.plan.variants]
        digests = collection_digests(session, run.project, collections)
        case_asserts = evidence_store.case_asserts(session, run.plan.dataset.id)
        # Part of the cases is no evidence, whatever its figures are.
        evidence = build_evidence(run, summary, digests, now, case_asserts) if run.plan.part is None else []
        return FinishedRun(run, summary, evidence, order, now)

    def _record_end(self, session: Session, finished: FinishedRun) -> None:
        run = finished.run
        detail = {
            "suite": run.suite,
            "suite_digest": run.plan.suite_digest,
            "verdict": finished.summary.verdict,
            "results": finished.summary.results,
        }
        audit.append_entry(session, run.project, audit.Change(ACTOR, "run.finished", run.id, detail, finished.at))
        outbox.enqueue(session, TRACKING_TOPIC, {"run": run.id}, finished.at)
