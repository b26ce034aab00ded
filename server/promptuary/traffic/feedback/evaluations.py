"""Evaluation events of OpenTelemetry as feedback on the calls that they name."""

import hashlib
import math
from collections.abc import Sequence

from promptuary.traffic.calls.model_call import Evaluation
from promptuary.traffic.feedback.feedback import Feedback, FeedbackSource, reference_of
from promptuary.traffic.feedback.recording import TEXT_LIMIT, FeedbackRecording, RecordedFeedback, record_feedback

SENDER = "opentelemetry"
"""The sender of every event: its id is made of its content, so that nobody replaces another one's."""


def record_evaluations(recording: FeedbackRecording, evaluations: Sequence[Evaluation]) -> list[RecordedFeedback]:
    """Record evaluation events; an event that names no call is passed over, since it names no prompt either.

    An event has no id: the same event once more, such as an exporter's retry, is recognized by its content and time.

    Args:
        recording: the transaction and its settings.
        evaluations: as they were read.
    """
    items = [_feedback(recording, evaluation) for evaluation in evaluations]
    return record_feedback(recording, [item for item in items if not item.reference.is_empty])


def _feedback(recording: FeedbackRecording, evaluation: Evaluation) -> Feedback:
    value = evaluation.value
    is_score = value is not None and math.isfinite(value) and 0 <= value <= 1
    return Feedback(
        id=f"event-{_digest(evaluation)}",
        prompt_id=None,
        version=0,
        reference=reference_of(evaluation),
        name=evaluation.name[:200],
        value=value if is_score else None,
        label=None if evaluation.label is None else evaluation.label[:200],
        comment=(evaluation.explanation or "")[:TEXT_LIMIT],
        sender=SENDER,
        source=FeedbackSource.EVALUATION,
        at=min(evaluation.at, recording.now),
        created_at=recording.now,
    )


def _digest(evaluation: Evaluation) -> str:
    named = (evaluation.response_id, evaluation.trace_id, evaluation.span_id, evaluation.at.isoformat())
    stated = (evaluation.name, evaluation.value, evaluation.label, evaluation.explanation)
    return hashlib.sha256(repr((named, stated)).encode("utf-8", "surrogatepass")).hexdigest()[:40]
