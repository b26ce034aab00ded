"""The event of a finished run for the project's webhooks, published in the transaction that finishes the run."""

from dataclasses import dataclass

from promptuary.core.database import Session
from promptuary.evaluation.execution.finished_run import FinishedRun, WriteOutcome
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.publication import WebhookEvent, publish


@dataclass(frozen=True)
class FinishedRunEvents:
    """Publishes finished runs; implements `FinishedRunListener`."""

    def prepare(self, _session: Session, finished: FinishedRun) -> WriteOutcome:
        """Return what publishes the run's event."""
        run = finished.run
        data = {
            "run": run.id,
            "suite": run.suite,
            "verdict": str(finished.summary.verdict),
            "schedule": run.schedule,
            "actor": run.actor,
            "actor_id": run.actor_id,
        }
        event = WebhookEvent(EventType.RUN_FINISHED, finished.at, data)
        return lambda writing: publish(writing, run.project, event)
