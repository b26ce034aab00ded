"""Queries of the sample for replays. They take a session and return domain values; rows are scoped by project."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlmodel import Session, col, select

from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.replay.sampled_call import CallFeedback, SampledCall
from promptuary.traffic.replay.selection import CallSelection
from promptuary.traffic.sample.call_details import CallDetails
from promptuary.traffic.tables import FeedbackRow, ObservationRow, ReservoirRow, SeriesRow

_START = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 500
Thresholds = dict[tuple[int, int, str], float]


def list_calls(session: Session, project: int, prompt: int, selection: CallSelection) -> list[SampledCall]:
    """List the settled calls of a prompt in the sample in the order in which they began, without the selection's limit."""
    thresholds = read_thresholds(session, project, prompt)
    query = select(ObservationRow, SeriesRow.label).join(SeriesRow, col(SeriesRow.id) == col(ObservationRow.series_id))
    query = query.where(ObservationRow.project_id == project, ObservationRow.prompt_id == prompt)
    query = query.where(
        col(ObservationRow.is_settled), ObservationRow.at >= selection.since, ObservationRow.at < selection.until
    )
    if selection.version is not None:
        query = query.where(ObservationRow.version == selection.version)
    if selection.label is not None:
        query = query.where(SeriesRow.label == selection.label)
    if selection.stratum is not None:
        query = query.where(ObservationRow.stratum == selection.stratum.value)
    query = query.order_by(col(ObservationRow.at), col(ObservationRow.id))
    rows = list(session.exec(query))
    feedback = list_feedback(session, project, [row.id for row, _ in rows])
    return [sampled_call(row, label, thresholds, feedback.get(row.id, ())) for row, label in rows]


def read_thresholds(session: Session, project: int, prompt: int) -> Thresholds:
    """Return the threshold of each reservoir of a prompt by version, day and stratum; one without an entry has 1."""
    query = select(ReservoirRow).where(ReservoirRow.project_id == project, ReservoirRow.prompt_key == prompt)
    return {(row.version, row.day, row.stratum): row.threshold for row in session.exec(query)}


def list_feedback(session: Session, project: int, observations: Sequence[str]) -> dict[str, list[CallFeedback]]:
    """Return the feedback on observations by their ids, in the order in which it came."""
    feedback: dict[str, list[CallFeedback]] = defaultdict(list)
    for first in range(0, len(observations), _BATCH):
        ids = observations[first : first + _BATCH]
        query = select(FeedbackRow).where(FeedbackRow.project_id == project, col(FeedbackRow.observation_id).in_(ids))
        for row in session.exec(query.order_by(col(FeedbackRow.created_at), col(FeedbackRow.id))):
            entry = CallFeedback(row.name, row.value, row.label, row.comment, row.correction)
            feedback[row.observation_id or ""].append(entry)
    return feedback


def sampled_call(
    row: ObservationRow,
    label: str,
    thresholds: Thresholds,
    feedback: Sequence[CallFeedback] = (),
    *,
    with_contents: bool = True,
) -> SampledCall:
    """Return an observation as a call that can be replayed, with its inclusion probability."""
    threshold = thresholds.get((row.version, (row.at - _START).days, row.stratum), 1.0)
    return SampledCall(
        id=row.id,
        version=row.version,
        label=label,
        at=row.at,
        status=CallStatus(row.status),
        stratum=row.stratum,
        probability=min(1.0, row.probability * threshold),
        user_hash=row.user_hash,
        details=CallDetails.from_json(row.details),
        contents=None if row.contents is None or not with_contents else decode_contents(row.contents),
        feedback=tuple(feedback),
    )
