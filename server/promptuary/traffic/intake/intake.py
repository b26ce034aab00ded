"""The intake: every call is counted once, however often it is reported, and the contents of some wait to be stored.

A request is one transaction: either all of it counts, or nothing. A sender that got no answer sends it again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any

from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.settings import Settings
from promptuary.traffic.calls.bounds import TimeBounds
from promptuary.traffic.calls.model_call import LogContents, ModelCall, TrafficReading
from promptuary.traffic.counters.store import add_counts
from promptuary.traffic.feedback.evaluations import record_evaluations
from promptuary.traffic.feedback.feedback import FeedbackCall
from promptuary.traffic.feedback.recording import join_feedback, move_feedback
from promptuary.traffic.intake.attribution import attribute, with_ancestors
from promptuary.traffic.intake.bounds import within_bounds
from promptuary.traffic.intake.counting import count_calls
from promptuary.traffic.intake.digests import key_digest, response_digest
from promptuary.traffic.intake.late_parents import move_by_second_reports, move_by_spans
from promptuary.traffic.intake.log_contents import contents_digest, join_log_contents, with_waiting_contents
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.spans.graph import SpanGraph
from promptuary.traffic.intake.spans.store import add_spans
from promptuary.traffic.intake.store import claim_keys
from promptuary.traffic.intake.taking import Taking
from promptuary.traffic.redaction.redactor import Redactor
from promptuary.traffic.redaction.stored_id import with_stored_ids
from promptuary.traffic.settings.store import require_project_traffic

_HOUR = 3600


@dataclass(frozen=True)
class TrafficIntake:
    """Takes the readings of requests.

    Attributes:
        database: where calls are counted.
        clock: returns the present time.
        settings: of the service.
        draw: returns the random number of a call, from 0 to 1; it decides whether the contents are stored.
        redactor: removes people's data before anything is stored.
    """

    database: Database
    clock: Clock
    settings: Settings
    draw: Callable[[], float] = field(default_factory=lambda: SystemRandom().random)
    redactor: Redactor = field(default_factory=Redactor)

    def take(self, project: int, reading: TrafficReading) -> IntakeReport:
        """Count the calls of a request, in one transaction.

        Args:
            project: the project's number.
            reading: what the request contains.

        Raises:
            InvalidRequest: for a call in the own form that is out of bounds.
            DatabaseBusy, StorageFull, Unavailable: with nothing counted; the same request may be sent again.
        """
        with self.database.write() as session:
            return self.take_in(session, project, reading)

    def take_in(self, session: Session, project: int, reading: TrafficReading) -> IntakeReport:
        """Count the calls of a request in a transaction that others may share."""
        traffic = require_project_traffic(session, project, self.settings)
        taking = Taking(session, project, traffic, self.clock(), self.draw, self.redactor)
        reading = within_bounds(reading, TimeBounds.at(taking.now, traffic.settings.counter_days))
        reading = with_stored_ids(reading, traffic.user_key)
        reports = self._claim(taking, reading)
        graph = SpanGraph(session, project, reading.links, reading.calls, traffic.user_key)
        moved = move_by_spans(taking, _traces_with_spans(reading), graph)  # those of this request find their spans below
        joined = with_waiting_contents(taking, reports.first)
        prepared = count_calls(taking, attribute(taking, joined.calls, graph), joined.redacted)
        moved += move_by_second_reports(taking, with_ancestors(reports.second, graph))
        join_log_contents(taking, reports.log_contents)
        add_spans(session, project, graph.own, taking.seconds, taking.redactor.redact_text)
        add_counts(session, taking.counts)
        join_feedback(taking.feedback, [_feedback_call(each.row) for each in prepared if each.row is not None])
        move_feedback(taking.feedback, taking.moved)
        evaluations = record_evaluations(taking.feedback, reading.evaluations)
        return IntakeReport(
            calls=len(prepared),
            repeats=len(reading.calls) - len(prepared),
            unattributed=dict(Counter(each.key.reason for each in prepared if each.key.reason)),
            moved=moved,
            evaluations=sum(evaluation.is_new for evaluation in evaluations),
            rejected=reading.rejected,
            message=reading.message,
        )

    def _claim(self, taking: Taking, reading: TrafficReading) -> "_Reports":
        """Separate the first reports of calls from repeated ones."""
        project, logs = taking.project, reading.log_contents
        keys = [key_digest(project, call.key) for call in reading.calls]
        responses = [response_digest(project, call.response_id) if call.response_id else None for call in reading.calls]
        records = [contents_digest(project, contents) for contents in logs]
        claimed = {*keys, *records, *(response for response in responses if response is not None)}
        cutoff = taking.seconds - self.settings.traffic_repeat_hours * _HOUR
        new = claim_keys(taking.session, claimed, taking.seconds, cutoff)
        first, second = [], []
        for call, key, response in zip(reading.calls, keys, responses, strict=True):
            if key in new and (response is None or response in new):
                first.append(call)
            elif key in new:
                second.append(call)
            new -= {key, response}
        return _Reports(first, second, [contents for contents, record in zip(logs, records, strict=True) if record in new])


def _traces_with_spans(reading: TrafficReading) -> set[str]:
    """Return the traces of which a request has spans that may be around a call of an earlier one."""
    return {link.trace_id for link in reading.links} | {call.trace_id for call in reading.calls if call.trace_id is not None}


def _feedback_call(row: Mapping[str, Any]) -> FeedbackCall:
    """Return what feedback needs of a call that was just stored."""
    names = FeedbackCall.__dataclass_fields__
    return FeedbackCall(**{name: row["id" if name == "observation_id" else name] for name in names})


@dataclass(frozen=True)
class _Reports:
    """What a request reports for the first time: calls, second reports of calls by the response's id, and messages."""

    first: Sequence[ModelCall]
    second: Sequence[ModelCall]
    log_contents: Sequence[LogContents]
