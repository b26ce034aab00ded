"""A step of the worker that ends the wait of calls, in small transactions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.settings import Settings
from promptuary.traffic.counters.store import add_counts
from promptuary.traffic.feedback.feedback import FeedbackCall, IsAround
from promptuary.traffic.feedback.recording import move_feedback, settle_feedback
from promptuary.traffic.intake.late_parents import move_settling_calls
from promptuary.traffic.intake.settling import store
from promptuary.traffic.intake.settling.sampling import Reservoir, place_call, stays
from promptuary.traffic.intake.settling.store import DueCall
from promptuary.traffic.intake.spans.graph import SpanGraph
from promptuary.traffic.intake.taking import Taking
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.settings.project_settings import TrafficSettings
from promptuary.traffic.settings.store import require_project_traffic
from promptuary.traffic.tables import Stratum

BATCH = 500
PURGE_BATCH = 5000
_HOUR = 3600


@dataclass
class SampleSettling:
    """Keeps or deletes calls whose wait is over.

    Attributes:
        database: contains them.
        clock: returns the present time.
        settings: of the service.
        redactor: redacts a call again whose prompt becomes known at the end of its wait.
    """

    database: Database
    clock: Clock
    settings: Settings
    redactor: Redactor = field(default_factory=Redactor)

    def step(self) -> bool:
        """Settle a batch of calls and purge what no later report needs; return whether more may be due."""
        now = self.clock()
        return any([self._settle(now), self._purge(now)])

    def _settle(self, now: datetime) -> bool:
        with self.database.read() as session:
            if not store.has_due_calls(session, now):
                return False
        with self.database.write_over_deleted() as session:
            due = store.due_calls(session, now, BATCH)
            for project in sorted({call.project_id for call in due}):
                self._settle_project(session, project, now, [call for call in due if call.project_id == project])
        return len(due) == BATCH

    def _settle_project(self, session: Session, project: int, now: datetime, due: Sequence[DueCall]) -> None:
        traffic = require_project_traffic(session, project, self.settings)
        taking = Taking(session, project, traffic, now, _draw_nothing, self.redactor)
        is_open = [call.id for call in due if call.awaited is not None]
        if is_open:
            move_settling_calls(taking, is_open)
            add_counts(session, taking.counts)
            move_feedback(taking.feedback, taking.moved)
            due = store.reload_calls(session, [call.id for call in due])
        settle_feedback(taking.feedback, [call.id for call in due], _is_around(SpanGraph(session, project)))
        keeps_all = traffic.settings.keep == "all"
        candidates = [call for call in due if call.prompt_id is not None or keeps_all]
        stored = self._keep(session, project, traffic.settings, candidates)
        store.delete_calls(session, [call.id for call in due if call.id not in stored])
        for reservoir in set(stored.values()):
            store.shrink(session, project, reservoir, traffic.settings.reservoir)

    def _keep(
        self, session: Session, project: int, settings: TrafficSettings, calls: Sequence[DueCall]
    ) -> dict[str, Reservoir]:
        """Keep the calls that stay in the sample, and return the reservoir of each."""
        low = store.low_feedback(session, project, [call.id for call in calls], settings.low_value)
        probabilities = {stratum: settings.probability(stratum) for stratum in Stratum}
        placed = [
            (call, place_call(probabilities, call.status, has_low_feedback=call.id in low, limit=call.probability))
            for call in calls
        ]
        reservoirs = {call.id: call.reservoir(placement.stratum) for call, placement in placed}
        thresholds = store.lock_thresholds(session, project, set(reservoirs.values()))
        stayed = [
            (call, placement)
            for call, placement in placed
            if stays(call.random, placement.probability, thresholds[reservoirs[call.id]])
        ]
        store.keep_calls(
            session,
            [
                {"of_id": call.id, "stratum": placement.stratum.value, "probability": placement.probability}
                for call, placement in stayed
            ],
        )
        return {call.id: reservoirs[call.id] for call, _ in stayed}

    def _purge(self, now: datetime) -> bool:
        seconds = int(now.timestamp())
        seen_before = seconds - self.settings.traffic_repeat_hours * _HOUR
        with self.database.read() as session:
            wait = store.longest_wait(session, self.settings.traffic_wait)
            # A call that comes at the end of its parent's wait waits as long again; contents do not.
            before = store.PurgeTimes(seen_before, seconds - 2 * wait, seconds - wait)
            if not store.has_old_rows(session, before):
                return False
        with self.database.write_over_deleted() as session:
            return store.purge(session, before, PURGE_BATCH)


def _is_around(graph: SpanGraph) -> IsAround:
    def is_around(span: tuple[str, str], call: FeedbackCall) -> bool:
        has_parent = call.trace_id is not None and call.parent_span_id is not None
        return has_parent and graph.is_around(span, (str(call.trace_id), str(call.parent_span_id)))

    return is_around


def _draw_nothing() -> float:
    raise AssertionError("the settling draws no random numbers")
