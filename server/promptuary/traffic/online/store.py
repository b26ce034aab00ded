"""Queries of rules and online scores. They take a session and return domain values; rows are scoped by project."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import Session, col, func, select

from promptuary.registry.tables import PromptRow
from promptuary.traffic.online.rule import (
    RuleProgress,
    StepPlace,
    TrafficRule,
    rule_parts,
    rule_to_json,
)
from promptuary.traffic.replay.sampled_call import SampledCall
from promptuary.traffic.replay.store import list_feedback, read_thresholds, sampled_call
from promptuary.traffic.tables import FeedbackRow, ObservationRow, OnlineScoreRow, SeriesRow, TrafficRuleRow

Place = tuple[StepPlace, str]
"""A row at its place, and the observation that it is of."""


@dataclass(frozen=True)
class DueRule:
    """A rule with its place in the database."""

    id: int
    project: int
    prompt_id: int
    rule: TrafficRule
    progress: RuleProgress


@dataclass(frozen=True)
class OnlineScore:
    """A scorer's result on a call."""

    observation: str
    metric: str
    score: float | None
    passed: bool | None
    error: str | None
    cost: float | None
    at: datetime


def find_rule(session: Session, project: int, name: str) -> TrafficRule | None:
    """Return a rule; None where there is none."""
    row = session.exec(_rules().where(TrafficRuleRow.project_id == project, TrafficRuleRow.name == name)).one_or_none()
    return None if row is None else _due_rule(*row).rule


def list_rules(session: Session, project: int, after: str | None, limit: int) -> list[TrafficRule]:
    """List the rules of a project by name."""
    query = _rules().where(TrafficRuleRow.project_id == project)
    if after is not None:
        query = query.where(TrafficRuleRow.name > after)
    return [_due_rule(*row).rule for row in session.exec(query.order_by(TrafficRuleRow.name).limit(limit))]


def put_rule(session: Session, project: int, prompt_id: int, rule: TrafficRule) -> None:
    """Store a rule; one that exists keeps its progress and its creation, unless it is of another prompt now."""
    query = select(TrafficRuleRow).where(TrafficRuleRow.project_id == project, TrafficRuleRow.name == rule.name)
    row = session.exec(query.with_for_update()).one_or_none()
    body = rule_to_json(rule.filling, rule.scoring)
    if row is None or row.prompt_id != prompt_id:
        if row is not None:
            session.delete(row)
            session.flush()
        row = TrafficRuleRow(
            project_id=project,
            name=rule.name,
            prompt_id=prompt_id,
            rule=body,
            progress=RuleProgress.start(rule.created_at).to_json(),
            created_by=rule.created_by,
            created_at=rule.created_at,
        )
    row.rule = body
    session.add(row)
    session.flush()


def delete_rule(session: Session, project: int, name: str) -> bool:
    """Delete a rule; return whether there was one."""
    query = select(TrafficRuleRow).where(TrafficRuleRow.project_id == project, TrafficRuleRow.name == name)
    row = session.exec(query).one_or_none()
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def all_rules(session: Session) -> list[DueRule]:
    """Return the rules of all projects."""
    return [_due_rule(*row) for row in session.exec(_rules().order_by(col(TrafficRuleRow.id)))]


def lock_rule(session: Session, rule: int) -> DueRule | None:
    """Return a rule as it is now, locked until the transaction ends; None where it was deleted."""
    row = session.exec(_rules().where(TrafficRuleRow.id == rule).with_for_update(of=TrafficRuleRow)).one_or_none()
    return None if row is None else _due_rule(*row)


def set_progress(session: Session, rule: int, progress: RuleProgress) -> None:
    """Store what the steps of a rule have done."""
    row = session.get(TrafficRuleRow, rule)
    if row is not None:
        row.progress = progress.to_json()
        session.add(row)
        session.flush()


def settled_before(session: Session, project: int, prompt: int, now: datetime) -> datetime:
    """Return until which end of the wait all calls of a prompt are settled, at the latest `now`."""
    query = select(func.min(ObservationRow.settle_at)).where(
        ObservationRow.project_id == project, ObservationRow.prompt_id == prompt, col(ObservationRow.is_settled).is_(False)
    )
    first = session.exec(query).one()
    return now if first is None else min(first, now)


def calls_after(session: Session, rule: DueRule, place: StepPlace, before: datetime, limit: int) -> list[Place]:
    """Return settled calls of a rule's prompt after a place, in the order in which their waits ended."""
    query: Any = select(ObservationRow.settle_at, ObservationRow.id, ObservationRow.id).where(
        ObservationRow.project_id == rule.project, ObservationRow.prompt_id == rule.prompt_id, col(ObservationRow.is_settled)
    )
    return _after(session, query, (col(ObservationRow.settle_at), col(ObservationRow.id)), place, before, limit)


def feedback_after(session: Session, rule: DueRule, place: StepPlace, before: datetime, limit: int) -> list[Place]:
    """Return feedback on calls of a rule's prompt after a place, in the order in which it came."""
    query: Any = select(FeedbackRow.created_at, FeedbackRow.id, FeedbackRow.observation_id).where(
        FeedbackRow.project_id == rule.project,
        FeedbackRow.prompt_id == rule.prompt_id,
        col(FeedbackRow.observation_id).is_not(None),
    )
    return _after(session, query, (col(FeedbackRow.created_at), col(FeedbackRow.id)), place, before, limit)


def scores_after(session: Session, rule: DueRule, place: StepPlace, before: datetime, limit: int) -> list[Place]:
    """Return online scores of a rule's prompt after a place, in the order in which they were computed."""
    query: Any = select(OnlineScoreRow.at, OnlineScoreRow.observation_id, OnlineScoreRow.observation_id)
    query = query.join(ObservationRow, col(ObservationRow.id) == col(OnlineScoreRow.observation_id))
    query = query.where(ObservationRow.project_id == rule.project, ObservationRow.prompt_id == rule.prompt_id)
    return _after(session, query, (col(OnlineScoreRow.at), col(OnlineScoreRow.observation_id)), place, before, limit)


def _after(session: Session, query: Any, order: tuple[Any, Any], place: StepPlace, before: datetime, limit: int) -> list[Place]:
    at, key = order
    later = or_(at > place.at, and_(at == place.at, key > place.key))
    rows = session.exec(query.where(at < before, later).order_by(at, key).limit(limit))
    return [(StepPlace(row[0], row[1]), row[2]) for row in rows]


def read_calls(session: Session, rule: DueRule, observations: Collection[str]) -> list[SampledCall]:
    """Return settled calls of a rule's prompt by their ids, with feedback and inclusion probability."""
    query = select(ObservationRow, SeriesRow.label).join(SeriesRow, col(SeriesRow.id) == col(ObservationRow.series_id))
    query = query.where(ObservationRow.project_id == rule.project, ObservationRow.prompt_id == rule.prompt_id)
    query = query.where(col(ObservationRow.is_settled), col(ObservationRow.id).in_(observations))
    rows = list(session.exec(query.order_by(col(ObservationRow.settle_at), col(ObservationRow.id))))
    if not rows:
        return []
    thresholds = read_thresholds(session, rule.project, rule.prompt_id)
    feedback = list_feedback(session, rule.project, [row.id for row, _ in rows])
    return [sampled_call(row, label, thresholds, feedback.get(row.id, ())) for row, label in rows]


def scores_of(session: Session, observations: Collection[str]) -> dict[str, list[OnlineScore]]:
    """Return the online scores of observations by their ids."""
    scores: dict[str, list[OnlineScore]] = {}
    for row in session.exec(select(OnlineScoreRow).where(col(OnlineScoreRow.observation_id).in_(observations))):
        scores.setdefault(row.observation_id, []).append(_score(row))
    return scores


def add_scores(session: Session, scores: Sequence[OnlineScore]) -> None:
    """Store scores of calls that are still in the sample and do not have them."""
    ids = {score.observation for score in scores}
    present = set(session.exec(select(ObservationRow.id).where(col(ObservationRow.id).in_(ids))))
    known = {(score.observation, score.metric) for each in scores_of(session, ids).values() for score in each}
    for score in scores:
        if score.observation in present and (score.observation, score.metric) not in known:
            values = {name: value for name, value in vars(score).items() if name != "observation"}
            session.add(OnlineScoreRow(observation_id=score.observation, **values))
    session.flush()


def scored_calls(
    session: Session, project: int, prompt: int, since: datetime, until: datetime
) -> list[tuple[SampledCall, OnlineScore]]:
    """Return the online scores of a prompt's calls that began in a time, each with its call without contents."""
    query = select(ObservationRow, OnlineScoreRow).join(
        OnlineScoreRow, col(OnlineScoreRow.observation_id) == col(ObservationRow.id)
    )
    query = query.where(ObservationRow.project_id == project, ObservationRow.prompt_id == prompt)
    query = query.where(ObservationRow.at >= since, ObservationRow.at < until)
    thresholds = read_thresholds(session, project, prompt)
    rows = session.exec(query.order_by(col(ObservationRow.at), col(ObservationRow.id), col(OnlineScoreRow.metric)))
    return [(sampled_call(row, "", thresholds, (), with_contents=False), _score(score)) for row, score in rows]


def _rules() -> Any:
    return select(TrafficRuleRow, PromptRow.name).join(PromptRow, col(PromptRow.id) == col(TrafficRuleRow.prompt_id))


def _due_rule(row: TrafficRuleRow, prompt: str) -> DueRule:
    filling, scoring = rule_parts(row.rule)
    progress = RuleProgress.from_json(row.progress)
    rule = TrafficRule(row.name, prompt, filling, scoring, row.created_by, row.created_at, progress.error)
    return DueRule(row.id or 0, row.project_id, row.prompt_id or 0, rule, progress)


def _score(row: OnlineScoreRow) -> OnlineScore:
    return OnlineScore(row.observation_id, row.metric, row.score, row.passed, row.error, row.cost, row.at)
