"""Queries of erasures. They take a session, in a transaction that writes; rows are scoped by project."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, or_, select

from promptuary.traffic.retention.store import delete_feedback_by_id, delete_observations_by_id
from promptuary.traffic.tables import FeedbackRow, LogContentsRow, ObservationRow, OnlineScoreRow, SpanContentsRow

_PART = 400
"""Values in one condition: SQLite binds few enough."""


def find_user_calls(session: Session, project: int, user_hash: str) -> list[str]:
    """Return the ids of an end user's calls, locked."""
    query = select(ObservationRow.id).where(ObservationRow.project_id == project, ObservationRow.user_hash == user_hash)
    return list(session.exec(query.order_by(col(ObservationRow.id)).with_for_update()))


def find_call_names(session: Session, project: int, calls: Sequence[str]) -> set[str]:
    """Return every name that feedback may have for some calls: their ids, keys and response ids."""
    names: set[str] = set(calls)
    for part in _parts(calls):
        query = select(ObservationRow.key, ObservationRow.response_id).where(ObservationRow.project_id == project)
        for key, response_id in session.exec(query.where(col(ObservationRow.id).in_(part))):
            names |= {key, *([response_id] if response_id else [])}
    return names


def find_user_feedback(session: Session, project: int, user_hash: str, calls: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the ids of the feedback of an end user, and of that on some calls, by the calls' ids or by other names."""
    row = FeedbackRow
    of_project = select(row.id).where(row.project_id == project)
    ids = set(session.exec(of_project.where(row.user_hash == user_hash)))
    for part in _parts(calls):
        ids |= set(session.exec(of_project.where(col(row.observation_id).in_(part))))
    for part in _parts(names):
        ids |= set(session.exec(of_project.where(col(row.subject).in_(part))))
    return sorted(ids)


def count_scores(session: Session, calls: Sequence[str]) -> int:
    """Return the number of online scores of some calls."""
    row = OnlineScoreRow
    return sum(len(session.exec(select(row.metric).where(col(row.observation_id).in_(part))).all()) for part in _parts(calls))


def delete_calls(session: Session, calls: Sequence[str]) -> int:
    """Delete calls with their scores; return how many there were."""
    return sum(delete_observations_by_id(session, part) for part in _parts(calls))


def delete_feedback(session: Session, project: int, ids: Sequence[str]) -> int:
    """Delete feedback; return how much there was."""
    return sum(delete_feedback_by_id(session, project, part) for part in _parts(ids))


def clear_version(session: Session, project: int, prompt: int, version: int) -> tuple[int, int]:
    """Remove the contents of a version's calls, and the texts of its feedback; return how many of each."""
    call, feedback = ObservationRow, FeedbackRow
    of_version = col(call.project_id) == project, col(call.prompt_id) == prompt, col(call.version) == version
    calls = update(call).where(*of_version, col(call.contents).is_not(None)).values(contents=None)
    on_version = col(feedback.project_id) == project, col(feedback.prompt_id) == prompt, col(feedback.version) == version
    has_text = or_(col(feedback.comment) != "", col(feedback.correction).is_not(None))
    texts = update(feedback).where(*on_version, has_text).values(comment="", correction=None)
    return _count(session, calls), _count(session, texts)


def clear_unattributed(session: Session, project: int) -> int:
    """Remove contents that wait and whose version may not be known yet: of calls, of log records without a call, of spans.

    Return how many calls and log records there were.
    """
    call, log = ObservationRow, LogContentsRow
    waiting = col(call.project_id) == project, col(call.version) == 0, col(call.contents).is_not(None)
    calls = update(call).where(*waiting).values(contents=None)
    _count(session, delete(SpanContentsRow).where(col(SpanContentsRow.project_id) == project))
    return _count(session, calls) + _count(session, delete(log).where(col(log.project_id) == project))


def delete_user_spans(session: Session, project: int, user_hash: str) -> None:
    """Delete what spans around calls that wait state of an end user."""
    row = SpanContentsRow
    _count(session, delete(row).where(col(row.project_id) == project, col(row.user_hash) == user_hash))


def _count(session: Session, statement: Any) -> int:
    count: int = session.connection().execute(statement).rowcount
    return count


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[first : first + _PART] for first in range(0, len(values), _PART))
