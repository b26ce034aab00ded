"""Queries of the sample: calls whose wait is over. They take a session and return domain values."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, exists, or_, tuple_
from sqlmodel import Session, col, select

from promptuary.registry.store import prompt_names
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.figures.dimension import EPOCH
from promptuary.traffic.sample.call_details import CallDetails
from promptuary.traffic.sample.observation import JoinedFeedback, Observation
from promptuary.traffic.tables import FeedbackRow, ObservationRow, ReservoirRow, SeriesRow, Stratum


class SampledFeedback(StrEnum):
    """Which calls are meant by the feedback on them."""

    ANY = "any"
    LOW = "low"
    NONE = "none"


@dataclass(frozen=True)
class SamplePosition:
    """A place in the list, which has the newest call first."""

    at: datetime
    id: str


@dataclass(frozen=True)
class SampleQuery:
    """Which calls of a project are listed; None for every value.

    Attributes:
        project: the project's id.
        prompt: a prompt's id.
        version: its number.
        status: how calls ended.
        start: the earliest time.
        end: before this time.
        stratum: why calls are in the sample.
        feedback: by the feedback on them.
        low_value: feedback below it is low.
    """

    project: int
    prompt: int | None = None
    version: int | None = None
    status: CallStatus | None = None
    start: datetime | None = None
    end: datetime | None = None
    stratum: Stratum | None = None
    feedback: SampledFeedback | None = None
    low_value: float = 0.5


def list_observations(session: Session, query: SampleQuery, after: SamplePosition | None, limit: int) -> list[Observation]:
    """Return a page of the sample, the newest call first."""
    statement = _settled(query.project)
    equal = {"prompt_id": query.prompt, "version": query.version, "status": query.status, "stratum": query.stratum}
    for name, value in equal.items():
        if value is not None:
            statement = statement.where(col(getattr(ObservationRow, name)) == value)
    if query.start is not None:
        statement = statement.where(col(ObservationRow.at) >= query.start)
    if query.end is not None:
        statement = statement.where(col(ObservationRow.at) < query.end)
    if query.feedback is not None:
        statement = statement.where(_has_feedback(query.feedback, query.low_value))
    if after is not None:
        earlier = col(ObservationRow.at) < after.at
        statement = statement.where(or_(earlier, and_(col(ObservationRow.at) == after.at, col(ObservationRow.id) < after.id)))
    statement = statement.order_by(col(ObservationRow.at).desc(), col(ObservationRow.id).desc())
    return _load(session, query.project, session.execute(statement.limit(limit)).all())


def find_observation(session: Session, project: int, observation: str) -> Observation | None:
    """Return a call of the sample."""
    rows = session.execute(_settled(project).where(col(ObservationRow.id) == observation)).all()
    loaded = _load(session, project, rows)
    return loaded[0] if loaded else None


def _settled(project: int) -> Any:
    query = select(ObservationRow, SeriesRow.label, SeriesRow.variant)
    query = query.join(SeriesRow, col(SeriesRow.id) == col(ObservationRow.series_id))
    return query.where(ObservationRow.project_id == project, col(ObservationRow.is_settled))


def _has_feedback(which: SampledFeedback, low_value: float) -> Any:
    about_call = select(FeedbackRow.id).where(
        FeedbackRow.project_id == ObservationRow.project_id, FeedbackRow.observation_id == ObservationRow.id
    )
    if which is SampledFeedback.LOW:
        about_call = about_call.where(col(FeedbackRow.value) < low_value)
    has = exists(about_call)
    return ~has if which is SampledFeedback.NONE else has


def _load(session: Session, project: int, rows: Sequence[Any]) -> list[Observation]:
    """Return rows with their prompts' names, their probabilities and their feedback."""
    calls = [row[0] for row in rows]
    names = prompt_names(session, project, {call.prompt_id for call in calls if call.prompt_id is not None})
    thresholds = _load_thresholds(session, project, {_reservoir(call) for call in calls})
    feedback = _load_feedback(session, project, [call.id for call in calls])
    return [
        Observation(
            id=call.id,
            prompt=names.get(call.prompt_id),
            version=call.version or None,
            label=label or None,
            variant=variant or None,
            at=call.at,
            status=call.status,
            stratum=Stratum(call.stratum),
            probability=call.probability * thresholds.get(_reservoir(call), 1.0),
            user=call.user_hash,
            redacted=call.redacted,
            is_replayable=call.is_replayable,
            details=CallDetails.from_json(call.details),
            contents=None if call.contents is None else decode_contents(call.contents),
            feedback=feedback.get(call.id, ()),
        )
        for call, label, variant in rows
    ]


ReservoirKey = tuple[int, int, int, str]


def _reservoir(call: ObservationRow) -> ReservoirKey:
    return (call.prompt_id or 0, call.version, (call.at - EPOCH).days, call.stratum)


def _load_thresholds(session: Session, project: int, keys: Collection[ReservoirKey]) -> dict[ReservoirKey, float]:
    columns: Any = (ReservoirRow.prompt_key, ReservoirRow.version, ReservoirRow.day, ReservoirRow.stratum)
    query: Any = select(ReservoirRow).where(ReservoirRow.project_id == project)
    rows = session.exec(query.where(tuple_(*columns).in_(list(keys))))
    return {(row.prompt_key, row.version, row.day, row.stratum): row.threshold for row in rows}


def _load_feedback(session: Session, project: int, calls: Sequence[str]) -> dict[str, list[JoinedFeedback]]:
    query = select(FeedbackRow).where(FeedbackRow.project_id == project, col(FeedbackRow.observation_id).in_(calls))
    joined: dict[str, list[JoinedFeedback]] = defaultdict(list)
    for row in session.exec(query.order_by(col(FeedbackRow.at), col(FeedbackRow.id))):
        fields = {name: getattr(row, name) for name in JoinedFeedback.__dataclass_fields__}
        joined[row.observation_id or ""].append(JoinedFeedback(**fields))
    return joined
